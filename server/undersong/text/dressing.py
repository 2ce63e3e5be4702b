"""A model's plain text, set as the draft is.

From left to right, with at most the rest of a word looked at ahead: text that is added later changes only what
`settled` leaves out, so a suggestion can be shown while it is made.
"""

from __future__ import annotations

import re

from undersong.text.plain_text import flat, plain
from undersong.text.quotes import closes_at, is_elision, opens_at
from undersong.text.style import Dash, Style

# How much of the text to the left is looked at for quotes that are open.
_BEFORE = 4_000
_SETTLED = re.compile(r"[^\W_][,;:?!]?(?= )")
_WORD = re.compile(r"\w")
_MARK = re.compile(r"\"|'|--|\.\.\.")
_QUOTES = {"curly": ("“", "”"), "straight": ('"', '"'), "tex": ("``", "''"), "guillemets": ("«", "»")}
_SINGLE_QUOTES = {"curly": ("‘", "’"), "straight": ("'", "'"), "tex": ("`", "'")}
_DASHES: dict[Dash, str] = {
    "em": "—",
    "spaced-em": " — ",
    "spaced-en": " – ",
    "double-hyphen": "--",
    "spaced-double-hyphen": " -- ",
    "triple-hyphen": "---",
    "spaced-triple-hyphen": " --- ",
    "spaced-hyphen": " - ",
}


def dress(plain_text: str, style: Style, before: str = "") -> str:
    """`plain_text` in the typography of `style`. `before`: the draft's own text to its left, in its own typography."""
    text, _ = flat(plain_text)
    left = re.split(r"[\r\n]", before[-_BEFORE:])[-1]
    context = plain(left).text
    if left[-1:].isspace() and not context.endswith(" "):
        context += " "
    setter = _Setter(context + text, style)
    setter.go(0, len(context))
    setter.pieces.clear()
    if left[-1:] in ("–", "—") and _DASHES[style.dash][0] == " " and text[:1].isalnum():
        setter.pieces.append(" ")
    setter.go(len(context), len(context) + len(text))
    return "".join(setter.pieces)


def settled(plain_text: str) -> int:
    """How many code points of an unfinished text are dressed as they will be: up to its last finished word.

    `dress(text[:settled(text)], ...)` is how `dress(text + more, ...)` begins, whatever is added.
    """
    found = 0
    for match in _SETTLED.finditer(plain_text):
        found = match.end()
    return found


class _Setter:
    """Sets `text` stretch by stretch, remembering which quotes are open."""

    def __init__(self, text: str, style: Style) -> None:
        self._text = text
        self._style = style
        self._double_open = False
        self._single_open = False
        self._last_opened = False  # whether the last mark set was an opening one
        self._ticks = ""  # the TeX quote just set, or "!" where no further may join it
        self.pieces: list[str] = []

    def go(self, start: int, end: int) -> None:
        at = start
        for found in _MARK.finditer(self._text, start, end):
            if found.start() > at:
                self._ticks = ""
            self.pieces.append(self._text[at : found.start()])
            mark = found[0]
            if mark == '"':
                self._double(found.start())
            elif mark == "'":
                self._single(found.start())
            else:
                self._ticks = ""
                dots = "…" if self._style.ellipsis == "character" else mark
                self.pieces.append(self._dash(found.start()) if mark == "--" else dots)
            at = found.end()
        if at < end:
            self._ticks = ""
        self.pieces.append(self._text[at:end])

    def _around(self, at: int, width: int = 1) -> tuple[str, str]:
        return self._text[at - 1 : at] if at else "", self._text[at + width : at + width + 1]

    def _double(self, at: int) -> None:
        before, after = self._around(at)
        if not before or before in " ([{":
            opens = not self._double_open if after in ("", " ") else True
        elif self._double_open or before in "-'":
            opens = not self._double_open and after not in (*" .,;:!?)]",)
        elif before.isdigit() and not after.isalnum():
            self._put('"')  # inches
            return
        else:
            opens = after.isalnum()
        self._double_open = opens
        self._last_opened = opens
        self._quote(at, opens, outer=True)

    def _single(self, at: int) -> None:
        before, after = self._around(at)
        if before.isalnum() and after.isalnum():
            self._apostrophe()
        elif opens_at(self._text, at):
            self._single_open = self._last_opened = True
            self._quote(at, opens=True, outer=False)
        elif self._single_open and self._closes(at):
            self._single_open = self._last_opened = False
            self._quote(at, opens=False, outer=False)
        else:
            self._apostrophe()

    def _closes(self, at: int) -> bool:
        """Not after the s of the boys' or the n of goin': there a quote is less likely than an apostrophe."""
        how = closes_at(self._text, at)
        return how == "strong" or (how == "weak" and self._text[max(at - 2, 0) : at] != "in")

    def _quote(self, at: int, opens: bool, outer: bool) -> None:
        style = self._style
        double = outer == (style.dialogue == "double")
        mark = (_QUOTES[style.double] if double else _SINGLE_QUOTES[style.single])[0 if opens else 1]
        if mark in ("«", "»"):
            mark = self._guillemet(mark, at)
        self._put(mark, plain_form='"' if double else "'", opens=opens)

    def _guillemet(self, mark: str, at: int) -> str:
        """With its inner space, unless that would read as the space of the text."""
        before, after = self._around(at)
        if mark == "«":
            return "«" + self._style.guillemet_space if not after.isspace() and before in ("", *" ([-") else '"'
        return self._style.guillemet_space + "»" if before and not before.isspace() and not _WORD.match(after) else '"'

    def _apostrophe(self) -> None:
        self._last_opened = False
        self._put("’" if self._style.single == "curly" else "'", plain_form="'")

    def _put(self, mark: str, plain_form: str = '"', opens: bool = False) -> None:
        """One mark; a curly one where straight ticks would run together with those before it and read differently."""
        if mark[-1] in "'`":
            joined = self._ticks[-1:] == mark[-1]
            if self._ticks == "!" or (joined and (self._ticks, mark) not in (("``", "`"), ("'", "''"))):
                curly = _QUOTES["curly"] if plain_form == '"' else _SINGLE_QUOTES["curly"]
                mark, self._ticks = curly[0 if opens else 1], ""
            else:
                self._ticks = "!" if joined else mark
        else:
            self._ticks = ""
        self.pieces.append(mark)

    def _dash(self, at: int) -> str:
        dash = _DASHES[self._style.dash]
        if dash[0] != " ":
            return dash
        before, after = self._around(at, 2)
        opens_before = before in ("", *" ([{") or (before in ("'", '"') and self._last_opened)
        starts_word = after == "'" and (opens_at(self._text, at + 2) or is_elision(self._text, at + 2))
        closes_after = after in ("", *")]},.;:!?") or (after == "'" and not starts_word)
        closes_after = closes_after or (after == '"' and self._double_open)
        if dash == " - " and (opens_before or closes_after or before.isdigit() or after.isdigit()):
            return "--"
        return ("" if opens_before else " ") + dash.strip() + ("" if closes_after else " ")
