"""One version of a draft: immutable text with its own line index.

Lines end at LF, CRLF and CR and nowhere else. `str.splitlines` also breaks at U+2028, U+0085, form feed and others,
which editors do not, and an edit after one of those would land on the wrong line.

Applying an edit splices the string and the line starts around the edit; nothing else is scanned again.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from undersong.text.edits import Edit
from undersong.text.span import Span

LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Document:
    """An immutable snapshot. `starts`: the offset at which each line begins, ascending, the first is 0."""

    uri: str
    language: str
    version: int
    text: str
    starts: list[int] = field(repr=False, compare=False)

    @classmethod
    def open(cls, uri: str, language: str, version: int, text: str) -> Document:
        return cls(uri, language, version, text, [0, *(match.end() for match in LINE_END.finditer(text))])

    def apply(self, edits: Sequence[Edit], version: int) -> Document:
        """The draft after `edits`, made one after another. Spans that reach past the end are clamped to it."""
        text, starts = self.text, self.starts
        for edit in edits:
            span = edit.span.clamp(len(text))
            after = text[: span.start] + edit.text + text[span.end :]
            starts = _splice_starts(starts, after, span, len(edit.text))
            text = after
        return Document(self.uri, self.language, version, text, starts)

    def __len__(self) -> int:
        return len(self.text)

    def __bool__(self) -> bool:
        return True

    @property
    def line_count(self) -> int:
        """At least 1: a text that ends with a line end has an empty last line."""
        return len(self.starts)

    def line_of(self, offset: int) -> int:
        """The line (from 0) that holds `offset`, clamped to the text. A line end belongs to the line it ends."""
        return bisect_right(self.starts, max(offset, 0)) - 1

    def line_start(self, line: int) -> int:
        """Where `line` begins; past the last line, the end of the text."""
        if line < 0:
            return 0
        return self.starts[line] if line < len(self.starts) else len(self.text)

    def line_span(self, line: int) -> Span:
        """`line` without its line end; past the last line, the empty span at the end of the text."""
        start, end = self.line_start(line), self.line_start(line + 1)
        if 0 <= line < len(self.starts) - 1:
            end -= 2 if self.text.startswith("\r\n", end - 2) and end - 2 >= start else 1
        return Span(start, end)

    def slice(self, span: Span) -> str:
        return self.text[span.start : span.end]


def _splice_starts(starts: list[int], after: str, span: Span, inserted: int) -> list[int]:
    """The line starts of `after`, in which `inserted` code points stand where `span` was.

    Whether a line begins at p depends only on the code points p-1 and p (LF before; or CR before and no LF at p).
    So starts before the edit stay, starts after it move, and only p in span.start ..= span.start + inserted are
    looked at anew: a CR and an LF that an edit brings together become one line end.
    """
    edge = span.start + inserted
    head = starts[: max(bisect_left(starts, span.start), 1)]
    looked_at = LINE_END.finditer(after, max(span.start - 1, 0), min(edge + 1, len(after)))
    middle = [match.end() for match in looked_at if span.start <= match.end() <= edge and match.end() > 0]
    moved = inserted - len(span)
    tail = starts[bisect_right(starts, span.end) :]
    return head + middle + (tail if moved == 0 else [start + moved for start in tail])
