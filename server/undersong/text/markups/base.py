"""What a markup module offers, and the builder with which each of them makes paragraphs.

A markup is a module with the four functions of `Markup`. It never sees a whole draft at once when one changes: the
draft is cut into chunks, and a chunk is parsed by itself, so the cost of an edit does not grow with the draft.
"""

from __future__ import annotations

import re
from typing import Protocol

from undersong.text.paragraph import Kind, Mark, Paragraph, Run
from undersong.text.span import Span, cover

Definitions = frozenset[str]
NO_DEFINITIONS: Definitions = frozenset()

LINE_BREAK = re.compile(r"(?<![ \t])[ \t]*(?:\r\n?|\n)\s*")
# What closes up to the word before it when something between the two was masked.
_CLOSING = ",.;:!?)]"


class Markup(Protocol):
    def body(self, text: str) -> Span:
        """The part of a draft that is cut into chunks: without byte order mark, front matter, preamble."""
        ...

    def chunk_end(self, text: str, start: int, end: int) -> int:
        """Where the chunk that begins at `start` ends; start < result <= end.

        It may depend only on text[start:end], and of that only on the chunk and on the first line after it. So after
        an edit, chunks before it and after it are found again without being scanned.
        """
        ...

    def definitions(self, chunk: str) -> Definitions:
        """What the chunk defines that changes how other chunks are read (labels of reference links)."""
        ...

    def parse(self, chunk: str, definitions: Definitions) -> tuple[Paragraph, ...]:
        """The chunk's paragraphs in order, offsets from the chunk's start. Never raises on any text."""
        ...


class Prose:
    """Collects the prose of one paragraph, piece by piece, left to right.

    White space that markup leaves doubled is taken once; none is left before a closing punctuation mark from which
    markup was taken away. Source text that is not given to the builder is masked.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._pieces: list[str] = []
        self._runs: list[list[int]] = []  # prose_start, source_start, length, source_length, literal (0 or 1)
        self._length = 0
        self._pairs: list[tuple[Span, Span]] = []

    def pair(self, opening: Span, closing: Span) -> None:
        """Marks that must go or stay together; called in the order of the closing ones."""
        self._pairs.append((opening, closing))

    def literal(self, start: int, end: int) -> None:
        """Source text that is prose as it stands; line breaks in it are soft."""
        at = start
        for found in LINE_BREAK.finditer(self._source, start, end):
            self._literal(at, found.start())
            self.space(found.start(), found.end())
            at = found.end()
        self._literal(at, end)

    def space(self, start: int, end: int) -> None:
        """Source that reads as one space: a soft line break, a `<br>`, a tie."""
        start = min(start, self._trim_end())
        if self._length:
            self.atom(" ", start, end)

    def atom(self, text: str, start: int, end: int) -> None:
        """Source that reads as `text`, which is not what stands there."""
        if text:
            self._runs.append([self._length, start, len(text), end - start, 0])
            self._pieces.append(text)
            self._length += len(text)

    def build(self, kind: Kind, span: Span | None = None) -> Paragraph | None:
        """The paragraph, or None where nothing but marks was collected.

        `span`: the block's content in the source; by default, from the first code point of prose to the last.
        """
        self._trim_end()
        prose = "".join(self._pieces)
        if not self._runs or not any(map(str.isalnum, prose)):
            return None
        first, last = self._runs[0], self._runs[-1]
        outer = span or Span(first[1], last[1] + last[3])
        held = [outer, Span(first[1], last[1] + last[3]), *(span for pair in self._pairs for span in pair)]
        outer = cover(held)
        runs = tuple(Run(a, b - outer.start, n, m, literal == 1) for a, b, n, m, literal in self._runs)
        pairs = tuple((self._mark(a, outer), self._mark(b, outer)) for a, b in self._pairs)
        return Paragraph(outer, kind, prose, runs, pairs)

    def _mark(self, span: Span, outer: Span) -> Mark:
        return Mark(span.shift(-outer.start), self._source[span.start : span.end])

    def _literal(self, start: int, end: int) -> None:
        last = self._runs[-1] if self._runs else None
        adjoins = last is not None and last[1] + last[3] == start
        if not adjoins:
            start = self._close_gap(start, end)
            last = self._runs[-1] if self._runs else None
        elif last is not None and last[4] == 0 and self._pieces[-1] == " ":
            start = self._skip_white(start, end)
        if start >= end:
            return
        if last is not None and last[4] == 1 and last[1] + last[3] == start:
            last[2] += end - start
            last[3] += end - start
            self._pieces[-1] += self._source[start:end]
        else:
            self._runs.append([self._length, start, end - start, end - start, 1])
            self._pieces.append(self._source[start:end])
        self._length += end - start

    def _close_gap(self, start: int, end: int) -> int:
        """Where a literal that follows masked source really begins."""
        if not self._length or self._pieces[-1][-1].isspace():
            start = self._skip_white(start, end)
            if self._length and start < end and self._source[start] in _CLOSING:
                self._trim_end()
        return start

    def _skip_white(self, start: int, end: int) -> int:
        while start < end and self._source[start].isspace():
            start += 1
        return start

    def _trim_end(self) -> int:
        """Drop white space at the end of what was collected; where the source of the rest ends."""
        while self._runs:
            last = self._runs[-1]
            kept = self._pieces[-1].rstrip()
            dropped = len(self._pieces[-1]) - len(kept)
            if kept:
                if dropped and last[4] == 1:
                    self._pieces[-1] = kept
                    last[2] -= dropped
                    last[3] -= dropped
                    self._length -= dropped
                return last[1] + last[3]
            self._pieces.pop()
            self._runs.pop()
            self._length -= last[2]
        return len(self._source)
