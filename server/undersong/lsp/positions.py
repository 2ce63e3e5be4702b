"""LSP positions to code-point offsets and back: the only place where they meet.

An LSP position is a line and a count of code units in the encoding agreed on at `initialize`. A position past the
end of its line means the line's end, one past the last line the end of the text, and one inside a character that
character's start.

Cost: constant for a text of ASCII alone; else linear in the line up to the position, in C (encoding a slice).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from dataclasses import dataclass

from lsprotocol import types

from undersong.lsp.capabilities import PositionEncoding
from undersong.text.document import Document
from undersong.text.span import Span

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class _Codec:
    """decode(units, errors, final=False) leaves a character that is cut at the end undecoded."""

    name: str
    width: int
    decode: Callable[[bytes, str, bool], tuple[str, int]]


_CODECS: dict[PositionEncoding, _Codec] = {
    "utf-8": _Codec("utf-8", 1, codecs.utf_8_decode),
    "utf-16": _Codec("utf-16-le", 2, codecs.utf_16_le_decode),
    "utf-32": _Codec("utf-32-le", 4, codecs.utf_32_le_decode),
}


def well_formed(text: str) -> str:
    """The text with each lone surrogate, which JSON can carry and UTF-8 cannot, as U+FFFD.

    One code point for another: no offset changes, and in UTF-16 no position does.
    """
    if text.isascii():
        return text
    return _LONE_SURROGATES.sub("\ufffd", text)


@dataclass(frozen=True, slots=True)
class Place:
    """An LSP position without the checks of lsprotocol's, of which a draft of hints would make thousands."""

    line: int
    character: int

    def encoded(self) -> str:
        return f'{{"line":{self.line},"character":{self.character}}}'


@dataclass(frozen=True, slots=True)
class Positions:
    """Conversions in one negotiated encoding."""

    encoding: PositionEncoding = "utf-16"

    def offset(self, document: Document, position: types.Position) -> int:
        """The code-point offset of an LSP position."""
        if position.line >= document.line_count:
            return len(document.text)
        line = document.line_span(position.line)
        # No encoding has fewer units than code points, so the answer is not further right than this.
        end = min(line.end, line.start + position.character)
        if self.encoding == "utf-32" or document.text.isascii():
            return end
        reach = document.text[line.start : end]
        if reach.isascii():
            return end
        codec = _CODECS[self.encoding]
        units = reach.encode(codec.name, "surrogatepass")[: position.character * codec.width]
        return line.start + len(codec.decode(units, "surrogatepass", False)[0])

    def position(self, document: Document, offset: int) -> types.Position:
        """The LSP position of a code-point offset, which is clamped to the text and to its line."""
        found = self.place(document, offset)
        return types.Position(found.line, found.character)

    def place(self, document: Document, offset: int) -> Place:
        """`position` for plain JSON."""
        offset = min(max(offset, 0), len(document.text))
        number = document.line_of(offset)
        line = document.line_span(number)
        end = min(offset, line.end)
        if self.encoding == "utf-32" or document.text.isascii():
            return Place(number, end - line.start)
        before = document.text[line.start : end]
        if before.isascii():
            return Place(number, len(before))
        codec = _CODECS[self.encoding]
        return Place(number, len(before.encode(codec.name, "surrogatepass")) // codec.width)

    def span(self, document: Document, lsp_range: types.Range) -> Span:
        """The span of an LSP range; start and end are put in order."""
        start, end = self.offset(document, lsp_range.start), self.offset(document, lsp_range.end)
        return Span(min(start, end), max(start, end))

    def range(self, document: Document, span: Span) -> types.Range:
        """The LSP range of a span."""
        return types.Range(self.position(document, span.start), self.position(document, span.end))
