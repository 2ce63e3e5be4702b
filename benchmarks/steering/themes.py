"""What a writer may ask for, and how it is told from the words of a text (themes.tsv)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

THEMES = Path(__file__).parents[1] / "themes.tsv"
# Letters, not those behind an apostrophe: “I'm” counts as “i”, “king's” as “king”, “don't” as one word.
_WORD = re.compile(r"(?<![^\W\d_])(?<![^\W\d_]['’])[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Theme:
    """`find`: words to find a feature by (sae_weights/recipe/compare.py); `score`: words that measure."""

    name: str
    find: frozenset[str]
    score: frozenset[str]


def read_themes(path: Path = THEMES) -> tuple[Theme, ...]:
    """The themes of the file, in its order. ValueError for a line that is not: theme, find, score."""
    themes: list[Theme] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 3 or not all(field.strip() for field in fields):
            raise ValueError(f"{path}:{number}: expected theme, find and score with tabs between, found {line!r}")
        name, find, score = fields
        themes.append(Theme(name, frozenset(find.split()), frozenset(score.split())))
    return tuple(themes)


def shuffled(themes: Sequence[Theme]) -> Mapping[str, Theme]:
    """Theme's name -> another theme, the one half the list away: whose words its texts should not have more of."""
    return {theme.name: themes[(n + len(themes) // 2) % len(themes)] for n, theme in enumerate(themes)}


def unnamed(theme: Theme, told: str) -> Theme:
    """The theme without the scoring words that stand, whatever their ending, in `told`.

    What a feature is called and found by came from its passages: such words must not measure it too.
    """
    known = words(told)
    return replace(theme, score=frozenset(word for word in theme.score if not any(_alike(word, one) for one in known)))


def _alike(one: str, other: str) -> bool:
    """Whether two words may be forms of one: rather too often than too seldom."""
    one, other = one.replace("y", "i"), other.replace("y", "i")
    least = max(3, min(len(one), len(other)) - 1)
    return one == other or (min(len(one), len(other)) >= 3 and one[:least] == other[:least])


def words(text: str) -> list[str]:
    """The words of a text, lower case, in order."""
    return _WORD.findall(text.lower())


def count(found: Sequence[str], vocabulary: frozenset[str]) -> int:
    """How many of the words `found` are in the vocabulary, each time they come."""
    return sum(word in vocabulary for word in found)


def distinct_bigrams(found: Sequence[str]) -> float:
    """Different pairs of neighbouring words over all of them: 1 repeats nothing (so does a text of one word)."""
    pairs = list(pairwise(found))
    return len(set(pairs)) / len(pairs) if pairs else 1.0
