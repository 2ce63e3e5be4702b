"""Markdown: CommonMark with tables, strikethrough, footnotes and maths between dollars.

Kept as prose: paragraphs, headings, list items, block quotes and the text of footnotes, each with its kind; the text of
links; inline code, whose words belong to the sentence they stand in (without its backticks). A hard-wrapped
line joins the next by one space.
Masked: front matter, code blocks, tables, HTML, images, link targets, bare `<https://...>` links, maths, definitions of
reference links, footnote marks, the marks of emphasis. One masked thing between two spaces leaves one space.

Chunks are cut at blank lines and around fenced code and comments, never inside a list or a footnote. In a block of
HTML, a fence or comment that no blank line precedes counts as one; CommonMark would read it as part of the HTML.
"""

from __future__ import annotations

import re

from markdown_it.common.utils import normalizeReference

from undersong.text.document import LINE_END
from undersong.text.markups import plain
from undersong.text.markups.base import NO_DEFINITIONS, Definitions
from undersong.text.markups.markdown_blocks import paragraphs
from undersong.text.paragraph import Paragraph
from undersong.text.span import Span

# Nobody writes a block of this size by hand; the parser would take seconds for it. Read as plain text.
LARGE = 100_000

_FRONT_MATTER = re.compile(
    r"(?:\ufeff)?---[ \t]*(?:\r\n?|\n)"
    r"(?=[^\s:#\-][^\r\n:]*:|#)"
    r"(?:(?!(?:---|\.\.\.)[ \t]*(?:[\r\n]|\Z))[^\r\n]*(?:\r\n?|\n))+"
    r"(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)"
)
_BLANK = re.compile(r"[ \t]*(?:\r\n?|\n|\Z)")
_SPECIAL = re.compile(
    r" {0,3}(?:"
    r"(?P<fence>`{3,}(?=[^`\r\n]*(?:[\r\n]|\Z))|~{3,})"
    r"|<(?:(?P<raw>(?:script|pre|style|textarea)(?=[\s>]|\Z))|(?P<other>!--|\?|!\[CDATA\[|![A-Za-z]))"
    r"|(?P<container>(?:[-+*]|\d{1,9}[.)])(?=[ \t\r\n]|\Z)|\[\^[^\]\s]+\]:)"
    r")",
    re.IGNORECASE,
)
_RAW_END = re.compile(r"</(?:script|pre|style|textarea)>", re.IGNORECASE)
_OTHER_END = {"!--": "-->", "?": "?>", "![cdata[": "]]>"}
_DEFINITION = re.compile(r"(?:\A|(?<=[\r\n]))[ >\t]*\[(?!\^)((?:[^\[\]\\]|\\.){1,999})\]:", re.DOTALL)


def body(text: str) -> Span:
    """Front matter: between two lines of three hyphens at the very start, the first thing in it a key or a comment."""
    found = _FRONT_MATTER.match(text)
    return Span(found.end() if found else 1 if text.startswith("\ufeff") else 0, len(text))


def chunk_end(text: str, start: int, end: int) -> int:
    """At the first line after a blank one that cannot continue a list, before and after fences and raw HTML."""
    at, blank, container = start, False, False
    while at < end:
        if empty := _BLANK.match(text, at, end):
            blank = True
            at = max(empty.end(), at + 1)
            continue
        if blank and at > start and not (container and text[at] in " \t"):
            return at
        blank = False
        special = _SPECIAL.match(text, at, end)
        if special is None:
            at = _next_line(text, at, end)
        elif special["container"]:
            container = True
            at = _next_line(text, at, end)
        elif container:
            at = _special_end(text, special, end)
        else:
            return at if at > start else _special_end(text, special, end)
    return end


def definitions(chunk: str) -> Definitions:
    if "]:" not in chunk:
        return NO_DEFINITIONS
    return frozenset(normalizeReference(found[1]) for found in _DEFINITION.finditer(chunk))


def parse(chunk: str, definitions: Definitions) -> tuple[Paragraph, ...]:
    special = _SPECIAL.match(chunk)
    if special and special["fence"]:
        return ()
    if len(chunk) > LARGE:
        return () if special and not special["container"] else plain.parse(chunk, definitions)
    return paragraphs(chunk, definitions)


def _next_line(text: str, at: int, end: int) -> int:
    found = LINE_END.search(text, at, end)
    return found.end() if found else end


def _special_end(text: str, special: re.Match[str], end: int) -> int:
    """After the line that closes a fence or raw HTML; what is not closed reaches to the end."""
    if mark := special["fence"]:
        closing = re.compile(rf"(?<=[\r\n]) {{0,3}}{re.escape(mark[0])}{{{len(mark)},}}[ \t]*(?:\r\n?|\n|\Z)")
        found = closing.search(text, special.end(), end)
        return found.end() if found else end
    if special["raw"]:
        raw = _RAW_END.search(text, special.end(), end)
        return _next_line(text, raw.end(), end) if raw else end
    other = text.find(_OTHER_END.get(special["other"].lower(), ">"), special.end(), end)
    return _next_line(text, other, end) if other >= 0 else end
