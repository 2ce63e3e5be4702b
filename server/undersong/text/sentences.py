"""Sentence boundaries, by sentencex (rules and abbreviations for English; it falls back sensibly for others)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import sentencex  # pyright: ignore[reportMissingTypeStubs]

from undersong.text.span import Span

_KEPT = 32_768
_segment: Callable[[str, str], list[str]] = cast(Any, sentencex).segment
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def sentences(prose: str) -> tuple[Span, ...]:
    """The sentences of one paragraph, in order, without the white space around them. Kept by the text."""
    return _kept(prose) if len(prose) <= _KEPT else _sentences(prose)


@lru_cache(maxsize=4096)
def _kept(prose: str) -> tuple[Span, ...]:
    return _sentences(prose)


def _sentences(prose: str) -> tuple[Span, ...]:
    # A lone surrogate, which JSON can carry, has no UTF-8 form to hand over.
    pieces = _segment("en", _SURROGATE.sub("\ufffd", prose))
    spans: list[Span] = []
    at = 0
    for piece in pieces:
        start, end = at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at += len(piece)
        if start < end:
            spans.append(Span(start, end))
    return tuple(spans)
