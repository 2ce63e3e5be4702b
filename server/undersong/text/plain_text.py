"""The plain reading of prose: the typography of the default model's corpus, with exact offsets.

The corpus is ASCII: straight quotes, double ones outside; a dash is two hyphens with no space around; an ellipsis is
three full stops; one space between words; no accents on Latin letters. What has no such twin (other scripts,
symbols) is kept.

1. `flat`: code point by code point, then spaces and dashes.
2. `double_outside`: a paragraph whose outer quotes are single has them exchanged with its inner ones.

Every plain code point stands for a stretch of prose; the stretches follow one another without gaps, so a stretch that
reads as nothing (a soft hyphen) belongs to the one before it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from undersong.text.quotes import double_outside
from undersong.text.span import Span

_KEPT = 32_768

PLAIN: dict[str, str] = {
    **dict.fromkeys("“”„‟«»″‶〝〞＂", '"'),
    **dict.fromkeys("‘’‚‛‹›′‵`´ʼʻ＇", "'"),
    **dict.fromkeys("—―⸺⸻﹘", "--"),
    **dict.fromkeys("‐‑‒−﹣－⁃", "-"),
    "…": "...",
    "‥": "..",
    "․": ".",
    "⁄": "/",
    **dict.fromkeys("\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u00a0\u1680\u2028\u2029\u202f\u205f\u3000", " "),
    **{chr(code): " " for code in range(0x2000, 0x200B)},
    **dict.fromkeys("\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
    **{chr(code): "" for code in (*range(0x202A, 0x202F), *range(0x2061, 0x2065), *range(0x2066, 0x206A))},
    **{chr(code): "" for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))},
    # Latin letters that do not decompose.
    "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d",
    "Ð": "D", "ħ": "h", "Ħ": "H", "ı": "i", "ȷ": "j", "ŋ": "n", "Ŋ": "N", "ß": "ss", "ẞ": "SS", "þ": "th", "Þ": "Th",
}  # fmt: skip

# Without any of these a text is its own plain reading, but for which quotes stand outside.
_TRIGGER = re.compile(r"[^ !-_a-~]|  |''| -|- |---|\d--\d")
# Two are a double quote; of three at the end of a quotation the pair is the outer one: ' then ''.
_TEX_QUOTE = re.compile(r"``|''(?!'(?!'))")
_GUILLEMETS = re.compile(r"(?:\A|(?<=[\s(\[\-–—]))[«‹](?P<after>\s+)|(?<!\s)(?P<before>\s+)[»›](?!\w)")
_REWRITES = (
    (re.compile(r" {2,}"), " "),
    (re.compile(r" *-(?: *-)+ *|(?<=[^\s\d-]) - (?=[^\s\d-])"), "--"),
    (re.compile(r"(?<=\d)--(?=\d)"), "-"),
)


@dataclass(frozen=True, slots=True)
class PlainText:
    """`text` as the model reads it; `starts[i]`: where in the prose code point i of it begins, never falling."""

    text: str
    starts: Sequence[int] = field(repr=False)
    prose_length: int = field(repr=False)

    def to_prose_offset(self, offset: int) -> int:
        """Where plain code point `offset` begins in the prose; at the end, the end."""
        return self.starts[offset] if offset < len(self.starts) else self.prose_length

    def to_prose_span(self, span: Span) -> Span:
        """The prose for which the plain code points of `span` stand, whole stretches; empty for an empty span."""
        start = self.to_prose_offset(span.start)
        if span.start >= span.end:
            return Span(start, start)
        last = min(span.end, len(self.starts)) - 1
        after = bisect_right(self.starts, self.starts[last], lo=last) if last >= 0 else 0
        return Span(start, max(start, self.to_prose_offset(after)))

    def to_plain_offset(self, offset: int) -> int:
        """The first plain code point that begins at or after a prose offset."""
        return bisect_left(self.starts, offset)

    def to_plain_span(self, span: Span) -> Span:
        """The plain code points that stand for any of the prose of `span`; empty for an empty span."""
        if span.start >= span.end or not self.starts:
            offset = self.to_plain_offset(span.start)
            return Span(offset, offset)
        holder = self.starts[max(bisect_right(self.starts, span.start) - 1, 0)]
        start = bisect_left(self.starts, holder)
        return Span(start, max(start, bisect_left(self.starts, span.end)))


def plain(prose: str) -> PlainText:
    """The plain reading of one paragraph's prose. Kept by the text."""
    return _kept(prose) if len(prose) <= _KEPT else _plain(prose)


@lru_cache(maxsize=4096)
def _kept(prose: str) -> PlainText:
    return _plain(prose)


def _plain(prose: str) -> PlainText:
    text, starts = flat(prose)
    text = double_outside(text)
    if "''" in text:
        # Two marks that met (’’): a double quote, as two ASCII ones are.
        text, starts = _rewrite(text, list(starts), _TEX_QUOTE, '"')
        text = double_outside(text)
    return PlainText(text, starts, len(prose))


def flat(prose: str) -> tuple[str, Sequence[int]]:
    """The plain reading but for which quotes stand outside: decided from near neighbours alone."""
    if not _TRIGGER.search(prose):
        return prose, range(len(prose))
    text, starts = _by_code_point(prose)
    for pattern, plain_form in _REWRITES:
        text, starts = _rewrite(text, starts, pattern, plain_form)
    if starts:
        # What reads as nothing at the very beginning belongs to the first code point.
        first = bisect_right(starts, starts[0])
        starts[:first] = [0] * first
    return text, starts


def _by_code_point(prose: str) -> tuple[str, list[int]]:
    gone = _inside_guillemets(prose)
    pieces: list[str] = []
    starts: list[int] = []
    at, length = 0, len(prose)
    while at < length:
        mark, width = prose[at], 1
        if at in gone:
            piece = ""
        elif mark == "–":
            inside = 0 < at < length - 1 and prose[at - 1].isalnum() and prose[at + 1].isalnum()
            piece = "-" if inside else "--"
        elif mark in "`'" and _TEX_QUOTE.match(prose, at):
            piece, width = '"', 2
        elif "\u0300" <= mark <= "\u036f":
            # An accent of its own: dropped from a Latin letter, as from a composed one; kept on others.
            piece = "" if pieces and pieces[-1][-1].isascii() else mark
        else:
            piece = _plain_form(mark)
        if piece:
            pieces.append(piece)
            starts.extend([at] * len(piece))
        at += width
    return "".join(pieces), starts


def _inside_guillemets(prose: str) -> set[int]:
    """White space that French sets inside guillemets: part of the mark."""
    if not any(mark in prose for mark in "«»‹›"):
        return set()
    found = (match.span("after" if match["after"] else "before") for match in _GUILLEMETS.finditer(prose))
    return {at for start, end in found for at in range(start, end)}


@lru_cache(maxsize=4096)
def _plain_form(mark: str) -> str:
    if mark in PLAIN or mark.isascii():
        return PLAIN.get(mark, mark)
    if "\ud800" <= mark <= "\udfff":
        return "\ufffd"  # half of a character, which has no UTF-8 form
    if unicodedata.category(mark)[0] == "L":
        letters = [part for part in unicodedata.normalize("NFKD", mark) if not unicodedata.combining(part)]
        if letters and all(part.isascii() and part.isalpha() for part in letters):
            return "".join(letters)
    return mark


def _rewrite(text: str, starts: list[int], pattern: re.Pattern[str], plain_form: str) -> tuple[str, list[int]]:
    pieces: list[str] = []
    moved: list[int] = []
    at = 0
    for found in pattern.finditer(text):
        pieces += (text[at : found.start()], plain_form)
        moved += starts[at : found.start()]
        moved += [starts[found.start()]] * len(plain_form)
        at = found.end()
    if not at:
        return text, starts
    return "".join([*pieces, text[at:]]), moved + starts[at:]
