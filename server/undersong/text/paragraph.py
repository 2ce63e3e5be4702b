"""A paragraph of prose, and the exact map between its prose and the source it stands in."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal

from undersong.text.edits import Edit
from undersong.text.span import Span

Kind = Literal["prose", "heading", "quote", "item", "note"]


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of prose and the stretch of source it came from.

    `source_start` counts from the paragraph's start. Where the lengths are equal and `literal` holds, prose and source
    are the same text. Else the run is an atom: the whole of one stands for the whole of the other (a soft line
    break is one space, an entity or a LaTeX accent is one letter).
    """

    prose_start: int
    source_start: int
    length: int
    source_length: int
    literal: bool = True

    @property
    def prose_end(self) -> int:
        return self.prose_start + self.length

    @property
    def source_end(self) -> int:
        return self.source_start + self.source_length


@dataclass(frozen=True, slots=True)
class Mark:
    """Markup that opens or closes something; `span` counts from the paragraph's start."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`span`: the block's content in the source (its markup included, surrounding white space not).

    `prose`: what a reader reads, in one line. `runs`: in order, without gaps in the prose; gaps in the source are
    markup. `pairs`: opening and closing marks of emphasis, links and the like, in the order of the closing ones.
    """

    span: Span
    kind: Kind
    prose: str
    runs: tuple[Run, ...]
    pairs: tuple[tuple[Mark, Mark], ...] = field(default=(), repr=False)

    def shift(self, by: int) -> Paragraph:
        """The same paragraph in a source where it stands `by` code points further on."""
        return Paragraph(self.span.shift(by), self.kind, self.prose, self.runs, self.pairs) if by else self

    def to_source(self, span: Span) -> Span:
        """The source from the first to the last code point of `span`. An empty span gives an empty span."""
        if span.start >= span.end:
            offset = self.to_source_offset(span.start)
            return Span(offset, offset)
        first, last = self._run_of(span.start), self._run_of(span.end - 1)
        start = first.source_start + (span.start - first.prose_start if first.literal else 0)
        end = last.source_start + min(span.end - last.prose_start, last.length) if last.literal else last.source_end
        return Span(self.span.start + start, self.span.start + max(start, end))

    def to_source_offset(self, offset: int) -> int:
        """Where the prose code point at `offset` stands; at the end of the prose, just after its last code point.

        Between two runs it is the end of the first: text written there joins what stands before it, inside the same
        emphasis.
        """
        if offset <= 0:
            return self.span.start + self.runs[0].source_start
        run = self._run_of(min(offset, len(self.prose)) - 1)
        inside = min(offset, len(self.prose)) - run.prose_start
        if run.literal:
            return self.span.start + run.source_start + inside
        return self.span.start + (run.source_end if inside >= run.length else run.source_start)

    def to_prose_offset(self, offset: int) -> int:
        """The prose offset of a source offset; inside markup, that of the prose before it; clamped to the prose."""
        at = offset - self.span.start
        index = bisect_right(self.runs, at, key=lambda run: run.source_start) - 1
        if index < 0:
            return 0
        run = self.runs[index]
        if run.literal:
            return run.prose_start + min(at - run.source_start, run.length)
        return run.prose_end if at >= run.source_end else run.prose_start

    def replace(self, span: Span, text: str) -> Edit:
        """The source edit that puts `text` in place of the prose `span`, leaving every mark of a pair with its twin.

        Marks whose twins are both inside go with the text they stood around; so do marks just outside that would be
        left around nothing else. Of a pair that `span` cuts, the mark inside is kept, before or after `text`.
        """
        raw = self.to_source(span)
        if not len(raw):
            return Edit(raw, text)
        start, end = self._with_marks_around(raw.start - self.span.start, raw.end - self.span.start)
        closers = "".join(b.text for a, b in self.pairs if a.span.start < start <= b.span.start < end)
        openers = "".join(a.text for a, b in reversed(self.pairs) if start <= a.span.start < end <= b.span.start)
        # A closing mark holds only after text, an opening one only before text: white space goes to the other side.
        if closers and self.prose[: span.start][-1:].isspace():
            start = min(start, self.to_source(Span(span.start - 1, span.start)).start - self.span.start)
            closers += " "
        if openers and self.prose[span.end :][:1].isspace():
            end = max(end, self.to_source(Span(span.end, span.end + 1)).end - self.span.start)
            openers = " " + openers
        return Edit(Span(start, end).shift(self.span.start), closers + text + openers)

    def _with_marks_around(self, start: int, end: int) -> tuple[int, int]:
        """The stretch, and with it each pair of marks that stands around nothing but text of the stretch."""
        for opening, closing in self.pairs:  # innermost first
            if start <= opening.span.end and closing.span.start <= end:
                start, end = min(start, opening.span.start), max(end, closing.span.end)
        return start, end

    def _run_of(self, offset: int) -> Run:
        index = bisect_right(self.runs, offset, key=lambda run: run.prose_start) - 1
        return self.runs[max(index, 0)]
