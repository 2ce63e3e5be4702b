"""The markups: one module each, with the functions of `base.Markup`; one line each in this table.

Keys are language ids as editors send them.
"""

from __future__ import annotations

from undersong.text.markups import latex, markdown, plain
from undersong.text.markups.base import Markup

MARKUPS: dict[str, Markup] = {
    "plaintext": plain,
    "text": plain,
    "markdown": markdown,
    "latex": latex,
    "tex": latex,
}


def markup_for(language: str) -> Markup:
    """A language that is not in the table is read as plain text."""
    return MARKUPS.get(language, plain)
