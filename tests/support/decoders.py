"""Every kind of decoder at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from undersong.engine.folders import kernels_folder
from undersong.model.decoding import native
from undersong.model.decoding.plain import PlainDecoder

native.load(kernels_folder())

from undersong.model.decoding.native.decoder import NativeDecoder, native_decoder  # noqa: E402

__all__ = ["NativeDecoder", "change_step", "native_decoder"]

KINDS = (PlainDecoder, NativeDecoder)
Step = Callable[..., Any]


def change_step(monkeypatch: pytest.MonkeyPatch, made: Callable[[Step], Step]) -> None:
    """`made` of each kind's own `step` in place of it."""
    for kind in KINDS:
        monkeypatch.setattr(kind, "step", made(kind.step))
