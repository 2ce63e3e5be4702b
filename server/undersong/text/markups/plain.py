"""Plain text.

A paragraph ends at a blank line. What stands between two blank lines is one hard-wrapped paragraph, or several of one
line each, and nothing in the file says which. The rule, from the lines of such a block alone:

- a line of more than 120 code points was not wrapped by hand: it is a paragraph by itself, and so separates what stands
  before and after it as a blank line would;
- a line indented further than the one before it begins a new paragraph, if lines of both kinds occur;
- the lines that remain are joined when they look wrapped: fewer than half of them (the last one aside) end as a
  sentence does, or the block is at least 50 wide and no line left room for the first word of the next. Otherwise each
  line is a paragraph: dialogue and drafts without blank lines are written so.
"""

from __future__ import annotations

import re
from itertools import pairwise

from undersong.text.document import LINE_END
from undersong.text.markups.base import NO_DEFINITIONS, Definitions, Prose
from undersong.text.paragraph import Paragraph
from undersong.text.span import Span

LONG = 120
_WIDE = 50
_SENTENCE_END = re.compile(r"[.!?…:—\-][\"'”’»*_)\]]*$")


def body(text: str) -> Span:
    return Span(1 if text.startswith("\ufeff") else 0, len(text))


def chunk_end(text: str, start: int, end: int) -> int:
    """After a long line, or at the first line of text after a blank one, or before a long line."""
    at, blank = start, False
    while at < end:
        found = LINE_END.search(text, at, end)
        content, after = found.span() if found else (end, end)
        if not text[at:content].strip():
            blank = at > start or blank
        elif (blank or content - at > LONG) and at > start:
            return at
        elif content - at > LONG:
            return after
        at = after
    return end


def definitions(chunk: str) -> Definitions:
    return NO_DEFINITIONS


def parse(chunk: str, definitions: Definitions) -> tuple[Paragraph, ...]:
    lines: list[Span] = []
    at = 0
    for end in [*(found.start() for found in LINE_END.finditer(chunk)), len(chunk)]:
        content = chunk[at:end]
        stripped = content.strip()
        if stripped:
            indent = len(content) - len(content.lstrip())
            lines.append(Span(at + indent, at + indent + len(stripped)))
        at = end + (2 if chunk.startswith("\r\n", end) else 1)
    return tuple(found for group in _groups(chunk, lines) if (found := _paragraph(chunk, group)))


def _paragraph(chunk: str, lines: list[Span]) -> Paragraph | None:
    prose = Prose(chunk)
    prose.literal(lines[0].start, lines[-1].end)
    return prose.build("prose")


def _groups(chunk: str, lines: list[Span]) -> list[list[Span]]:
    if not lines:
        return []
    groups = [[lines[0]]]
    for before, line in pairwise(lines):
        if _indent(chunk, line) > _indent(chunk, before):
            groups.append([line])
        else:
            groups[-1].append(line)
    return [part for group in groups for part in ([group] if _wrapped(chunk, group) else [[line] for line in group])]


def _indent(chunk: str, line: Span) -> int:
    at = line.start
    while at and chunk[at - 1] in " \t":
        at -= 1
    return line.start - at


def _wrapped(chunk: str, lines: list[Span]) -> bool:
    """Whether the lines are one paragraph, wrapped by hand. Looks at the first 200 only: the manner does not change."""
    lines = lines[:200]
    texts = [chunk[line.start : line.end] for line in lines]
    if len(texts) == 1:
        return True
    ended = sum(1 for text in texts[:-1] if _SENTENCE_END.search(text[-8:]))
    if 2 * ended < len(texts) - 1:
        return True
    width = max(map(len, texts))
    room = (len(a) + 1 + len(b.split(maxsplit=1)[0]) <= width for a, b in pairwise(texts))
    return width >= _WIDE and not any(room)
