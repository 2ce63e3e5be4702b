"""Edits.

A sequence of edits is applied one after another, each in the coordinates that hold after the one before it, as LSP
sends them.
"""

from __future__ import annotations

from dataclasses import dataclass

from undersong.text.span import Span


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace `span` by `text`; an empty span inserts, an empty text deletes."""

    span: Span
    text: str
