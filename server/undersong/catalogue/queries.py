"""What a person typed, turned into full-text queries that cannot be syntax errors.

Only letters and digits of the text are used, each word quoted, so quotes, operators, column filters and emoji mean
nothing. A search is a ladder: every query of it is run in turn until there are enough hits.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

MAX_WORDS = 16
MAX_CHARACTERS = 1000

# Words that nearly every name or passage has; they are looked for only when nothing else was typed.
_FUNCTION_WORDS = """
a about an and are as at be by do for from has have he her his i in is it its me my not of on or she some that the
their them there they this to was we were with you your
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Rung:
    """One full-text query: `table` is "whole" (English inflections) or "typed" (prefixes)."""

    table: Literal["whole", "typed"]
    match: str


def query_words(text: str) -> tuple[str, ...]:
    """The words to look for, in order, without repeats; at most MAX_WORDS of them."""
    text = unicodedata.normalize("NFC", text[:MAX_CHARACTERS].casefold())
    words = list(dict.fromkeys(_WORD.findall(text)))
    content = [word for word in words if word not in FUNCTION_WORDS]
    return tuple((content or words)[:MAX_WORDS])


def ladder(words: tuple[str, ...]) -> tuple[Rung, ...]:
    """From the strictest query to the loosest: all words, all prefixes, any word, any prefix."""
    if not words:
        return ()
    whole = [f'"{word}"' for word in words]
    prefixes = [f'"{word}"*' for word in words]
    strict = (Rung("whole", " AND ".join(whole)), Rung("typed", " AND ".join(prefixes)))
    if len(words) == 1:
        return strict
    return (*strict, Rung("whole", " OR ".join(whole)), Rung("typed", " OR ".join(prefixes)))


def plain_name(text: str) -> str:
    """Names are lower case with single spaces; what a person typed is compared in that form."""
    return " ".join(text.casefold().split())
