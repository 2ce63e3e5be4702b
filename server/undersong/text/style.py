"""How a draft is set: its quotes, dashes and ellipses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Quotes = Literal["straight", "curly", "tex", "guillemets"]
Dialogue = Literal["double", "single"]
Dash = Literal[
    "em",
    "spaced-em",
    "spaced-en",
    "double-hyphen",
    "spaced-double-hyphen",
    "triple-hyphen",
    "spaced-triple-hyphen",
    "spaced-hyphen",
]
Ellipsis = Literal["character", "dots"]

# A writer's manner shows well before this many code points.
_SAMPLE = 200_000

_STRAIGHT_OPENING = re.compile(r"(?:(?<=[\s(\[—–\-])|\A)'(?=[^\W\d_])")
_STRAIGHT_CLOSING = re.compile(r"(?<=[.,?!\-—–…])'(?=[\s—–\-)]|\Z)")
_GUILLEMET_SPACE = re.compile("«([ \u00a0\u202f]?)")
_WORD = r"[^\s\-|]"
_DASHES: dict[Dash, re.Pattern[str]] = {
    "em": re.compile(r"(?<!\s)—|—(?!\s)"),
    "spaced-em": re.compile(r"(?<=\s)—(?=\s)"),
    "spaced-en": re.compile(r"(?<=\s)–(?=\s)"),
    "double-hyphen": re.compile(rf"(?<={_WORD})--(?={_WORD})"),
    "spaced-double-hyphen": re.compile(rf"(?<={_WORD} )--(?= {_WORD})"),
    "triple-hyphen": re.compile(rf"(?<={_WORD})---(?={_WORD})"),
    "spaced-triple-hyphen": re.compile(rf"(?<={_WORD} )---(?= {_WORD})"),
    "spaced-hyphen": re.compile(r"(?<=[^\s\d\-|] )-(?= [^\s\d\-|])"),
}


@dataclass(frozen=True, slots=True)
class Style:
    """`dialogue`: which quotes stand outside. `guillemet_space`: what is set inside guillemets.

    `double` is the form of double quotes (or of what is used for them), `single` that of single quotes and apostrophes.
    """

    double: Quotes = "curly"
    single: Literal["straight", "curly", "tex"] = "curly"
    dialogue: Dialogue = "double"
    dash: Dash = "em"
    ellipsis: Ellipsis = "character"
    guillemet_space: str = ""


def detect(text: str) -> Style:
    """The style of a draft (its proses, one a line): what it uses most. A draft that shows nothing is set curly.

    Where a draft has marks of one sort only, the others follow it: straight quotes go with hyphens for dashes.
    """
    text = text[:_SAMPLE]
    if text.isascii() and not any(mark in text for mark in "\"'`") and "--" not in text and "..." not in text:
        return Style()
    double = _double(text)
    single = _single(text, double)
    typeset = double in ("curly", "guillemets") or (single == "curly" and double == "straight" and '"' not in text)
    return Style(
        double=double,
        single=single,
        dialogue=_dialogue(text),
        dash=_dash(text, "triple-hyphen" if double == "tex" else "em" if typeset else "double-hyphen"),
        ellipsis=_ellipsis(text, typeset),
        guillemet_space=_guillemet_space(text) if double == "guillemets" else "",
    )


def _double(text: str) -> Quotes:
    counts: dict[Quotes, int] = {
        "curly": text.count("“") + text.count("”") + text.count("„"),
        "straight": text.count('"'),
        "tex": 2 * text.count("``"),
        "guillemets": text.count("«") + text.count("»"),
    }
    most = max(counts, key=counts.__getitem__)
    if counts[most]:
        return most
    # No double quotes at all: as the single ones are.
    singles = text.count("'"), text.count("’") + text.count("‘")
    return "straight" if singles[0] > singles[1] else "curly"


def _single(text: str, double: Quotes) -> Literal["straight", "curly", "tex"]:
    if double == "tex":
        return "tex"
    curly, straight = text.count("’") + text.count("‘"), text.count("'")
    if curly == straight:
        return "straight" if double == "straight" else "curly"
    return "curly" if curly > straight else "straight"


def _dialogue(text: str) -> Dialogue:
    """Single-quoted where single quotes open more often than double ones, and also close after punctuation."""
    doubles = text.count("“") + text.count('"') / 2 + text.count("``") + text.count("«")
    tex_singles = text.count("`") - 2 * text.count("``")
    curly = text.count("‘")
    straight = len(_STRAIGHT_OPENING.findall(text)) if _STRAIGHT_CLOSING.search(text) else 0
    return "single" if max(curly, straight, tex_singles) > doubles else "double"


def _dash(text: str, otherwise: Dash) -> Dash:
    counts: dict[Dash, int] = {dash: len(pattern.findall(text)) for dash, pattern in _DASHES.items()}
    most = max(counts, key=lambda dash: counts[dash])
    return most if counts[most] else otherwise


def _ellipsis(text: str, typeset: bool) -> Ellipsis:
    characters, dots = text.count("…"), text.count("...")
    if characters == dots:
        return "character" if typeset else "dots"
    return "character" if characters > dots else "dots"


def _guillemet_space(text: str) -> str:
    found = _GUILLEMET_SPACE.findall(text)
    return max(set(found), key=found.count) if found else ""
