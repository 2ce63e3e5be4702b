r"""LaTeX: the prose of a document's body.

Kept as prose: running text; headings (`\chapter`, `\section`, ...); list items; `quote`, `quotation` and `verse`; the
text of `\emph{...}`, `\enquote{...}` and of macros and environments nobody told us about, such as a writer's own
`\thought{...}`. Escapes and accents read as the letters they print, a tie as a space. ``quotes'' and dashes made of
hyphens are kept as they stand: typography.py reads them.
Masked: the preamble, what follows `\end{document}`, comments, maths, footnotes, captions, labels, references, lengths,
and environments such as `verbatim`, `figure`, `tabular`.

Chunks are cut at blank lines outside masked environments, quotations and lists.
"""

from __future__ import annotations

import re

from undersong.text.document import LINE_END
from undersong.text.markups import plain
from undersong.text.markups.base import NO_DEFINITIONS, Definitions
from undersong.text.markups.latex_reader import paragraphs
from undersong.text.markups.latex_tables import KINDS, MASKED_ENVIRONMENTS
from undersong.text.paragraph import Paragraph
from undersong.text.span import Span

# A quotation or list longer than this is cut at blank lines all the same: it is more likely one not closed yet.
LONGEST_BLOCK = 200
# The parser takes up to 10 ms for 1,000 code points of dense markup, and nothing that large is one block: it is read as
# plain text, or masked where it may hold an environment that is not closed.
LARGE = 50_000

_BLANK = re.compile(r"[ \t]*(?:\r\n?|\n|\Z)")
_ENVIRONMENT = re.compile(r"\\(begin|end)[ \t]*\{([^{}\r\n]*)\}")
_COMMENT = re.compile(r"(?<!\\)(?:\\\\)*%")


def body(text: str) -> Span:
    start = text.find("\\begin{document}")
    if start < 0 and "\\documentclass" in text:
        return Span(len(text), len(text))
    start = start + len("\\begin{document}") if start >= 0 else 1 if text.startswith("\ufeff") else 0
    end = text.find("\\end{document}", start)
    return Span(start, end if end >= 0 else len(text))


def chunk_end(text: str, start: int, end: int) -> int:
    at, blank, depth, lines = start, False, 0, 0
    while at < end:
        if empty := _BLANK.match(text, at, end):
            blank = True
            at = max(empty.end(), at + 1)
            continue
        if blank and at > start and (not depth or lines > LONGEST_BLOCK):
            return at
        blank = False
        at, change = _line(text, at, end)
        depth = max(depth + change, 0)
        lines = lines + 1 if depth else 0
    return end


def definitions(chunk: str) -> Definitions:
    return NO_DEFINITIONS


def parse(chunk: str, definitions: Definitions) -> tuple[Paragraph, ...]:
    if len(chunk) > LARGE:
        return () if "\\begin" in chunk else plain.parse(chunk, definitions)
    return paragraphs(chunk)


def _line(text: str, at: int, end: int) -> tuple[int, int]:
    """Where the next line begins, masked environments skipped, and how many kept blocks open less those that close."""
    change = 0
    while True:
        found = LINE_END.search(text, at, end)
        stop, after = found.span() if found else (end, end)
        comment = _COMMENT.search(text, at, stop)
        for mark in _ENVIRONMENT.finditer(text, at, comment.start() if comment else stop):
            name = mark[2]
            if mark[1] == "begin" and name in MASKED_ENVIRONMENTS:
                closing = text.find(f"\\end{{{name}}}", mark.end(), end)
                if closing < 0:
                    return end, change
                at = closing + len(name) + 6
                break
            if name in KINDS:
                change += 1 if mark[1] == "begin" else -1
        else:
            return after, change
