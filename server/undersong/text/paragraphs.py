"""The paragraphs of a draft where they stand now, of which an edit moves all that follow it.

A chunk's paragraphs count from the chunk's start, so that it can be kept as it is; where one stands in the draft is
made when it is looked at.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import overload

from undersong.text.paragraph import Paragraph
from undersong.text.span import Span


class Piece:
    """A paragraph of a chunk, in offsets from the chunk's start. The same piece has the same source, markup included.

    source_hash: of that source, once somebody asked for it
    """

    __slots__ = ("_placed", "paragraph", "source_hash")

    def __init__(self, paragraph: Paragraph) -> None:
        self.paragraph = paragraph
        self.source_hash: str | None = None
        self._placed = paragraph

    def at(self, offset: int) -> Paragraph:
        """Where the chunk begins at `offset`; the same object as long as it does."""
        start = self.paragraph.span.start + offset
        if self._placed.span.start != start:
            self._placed = self.paragraph.shift(offset)
        return self._placed


class Paragraphs(Sequence[Paragraph]):
    """In the order of the draft; they never overlap. Immutable. `offsets`: where each one's chunk begins."""

    __slots__ = ("offsets", "pieces")

    def __init__(self, pieces: tuple[Piece, ...] = (), offsets: tuple[int, ...] = ()) -> None:
        self.pieces, self.offsets = pieces, offsets

    def __len__(self) -> int:
        return len(self.pieces)

    @overload
    def __getitem__(self, index: int) -> Paragraph: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Paragraph, ...]: ...
    def __getitem__(self, index: int | slice) -> Paragraph | tuple[Paragraph, ...]:
        if isinstance(index, slice):
            return tuple(map(Piece.at, self.pieces[index], self.offsets[index]))
        return self.pieces[index].at(self.offsets[index])

    def __iter__(self) -> Iterator[Paragraph]:
        return map(Piece.at, self.pieces, self.offsets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Paragraphs) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def touching(self, span: Span) -> range:
        """Those that have a code point in `span`, or stand at its edge."""
        return range(self.ending_from(span.start), self.starting_up_to(span.end))

    def starting_up_to(self, offset: int) -> int:
        """How many start at `offset` or before it."""
        return bisect_right(range(len(self)), offset, key=self._start)

    def ending_from(self, offset: int) -> int:
        """The first that ends at `offset` or after it; how many there are, where none does."""
        return bisect_left(range(len(self)), offset, key=self._end)

    def _start(self, index: int) -> int:
        return self.offsets[index] + self.pieces[index].paragraph.span.start

    def _end(self, index: int) -> int:
        return self.offsets[index] + self.pieces[index].paragraph.span.end
