"""Every kind of decoder at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from undersong.model.decoding import native
from undersong.model.decoding.plain import PlainDecoder

native.load()

from undersong.model.decoding.native.decoder import NativeDecoder  # noqa: E402

KINDS = (PlainDecoder, NativeDecoder)
Step = Callable[..., Any]


def change_step(monkeypatch: pytest.MonkeyPatch, made: Callable[[Step], Step]) -> None:
    """`made` of each kind's own `step` in place of it."""
    for kind in KINDS:
        monkeypatch.setattr(kind, "step", made(kind.step))
