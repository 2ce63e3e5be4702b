"""Names without a language model: the words that mark where a feature fires.

Token grain: the words on which its strong activation (above STRONG of its maximum) falls, where a few have most of it.
Passage grain: key words, by p log(p / q): p the share of its activation that falls on passages with the word, drawn
towards q, the word's share of all passages, as if by SMOOTHING passages more. Words are counted by a rough stem.
Function words alone are no name: of the token grain there is none then, of the passage grain the next words are it.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from undersong.sae.labelling.passages import Example, Firings, Passage, held_out

STRONG = 0.5
PURE = 0.5
FIRST, FURTHER = 0.3, 0.12
FEWEST = 8
"""Strong places, or passages, without which a feature gets no name."""
SMOOTHING = 30.0
MOST_WORDS = 12
IN_NAME = 3
PROVENANCE_TOKEN = "automatic: the words it is strongest on"
PROVENANCE_PASSAGE = "automatic: key words of its passages"

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
# Grammar, in English: alone they name nothing. Words for persons (I, she) do, and are not among them.
FUNCTION_WORDS = frozenset((
    "a", "about", "although", "am", "an", "and", "are", "as", "at", "be", "because", "been", "being", "but", "by",
    "can", "could", "did", "do", "does", "for", "from", "had", "has", "have", "if", "in", "into", "is", "it", "its",
    "like", "may", "might", "must", "nor", "of", "off", "on", "onto", "or", "shall", "should", "so", "some", "such",
    "than", "that", "the", "their", "then", "there", "these", "this", "those", "though", "to", "too", "upon", "was",
    "were", "what", "when", "where", "which", "while", "whose", "will", "with", "would",
))  # fmt: skip
_SUFFIXES = ("ing", "edly", "ed", "es", "s", "ly")


@dataclass(frozen=True, slots=True)
class KeyWords:
    """`name` None: no clear reading. `words`: the most telling first, each with its share of the activation (token) or
    p (passage); `named`: those in the name."""

    name: str | None
    named: tuple[str, ...]
    words: tuple[tuple[str, float], ...]


class WordCounts:
    """Words of the passages that names are made from: how many passages have each stem, and how it is mostly spelt."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._stems: list[frozenset[str] | None] = [
            None if held_out(number) else stems(passage.text) for number, passage in enumerate(passages)
        ]
        having = Counter(stem for found in self._stems if found for stem in found)
        self._passages = max(1, sum(found is not None for found in self._stems))
        self._share = {stem: count / self._passages for stem, count in having.items()}
        spellings: dict[str, Counter[str]] = defaultdict(Counter)
        for number, passage in enumerate(passages):
            if not held_out(number):
                for word in WORD.findall(passage.text.lower()):
                    spellings[stem(word)][word] += 1
        self.spelling: Mapping[str, str] = {stem: count.most_common(1)[0][0] for stem, count in spellings.items()}

    def stems_in(self, number: int) -> frozenset[str]:
        return self._stems[number] or frozenset()

    def share(self, stem: str) -> float:
        """Of the passages for naming, how many have it."""
        return self._share.get(stem, 0.0)


def token_words(firings: Firings, feature: int) -> KeyWords:
    """The words of a feature of the token grain, from the passages for naming."""
    floor = STRONG * firings.maximum(feature)
    mass: defaultdict[str, float] = defaultdict(float)
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    places = 0
    numbers, strengths = firings.by_passage(feature)
    for number, strength in zip(numbers.tolist(), strengths.tolist(), strict=True):
        if held_out(number) or strength < floor or floor <= 0:
            continue
        example = firings.example(number, feature)
        for word, value in strong_words(example, floor):
            mass[stem(word)] += value
            spellings[stem(word)][word] += 1
            places += 1
    total = sum(mass.values())
    heaviest = sorted(mass.items(), key=lambda item: -item[1])[:MOST_WORDS]
    ranked = [(spellings[own].most_common(1)[0][0], value / total) for own, value in heaviest if total]
    if places < FEWEST:
        return KeyWords(None, (), tuple(ranked))
    chosen: list[str] = []
    reached = 0.0
    for word, share in ranked[:IN_NAME]:
        if not WORD.fullmatch(word) or share < (FURTHER if chosen else FIRST):
            break
        chosen.append(word)
        reached += share
        if reached >= PURE:
            break
    # What is left beside function words that have most of it would be no name either.
    if reached < PURE or FUNCTION_WORDS.issuperset(chosen):
        return KeyWords(None, (), tuple(ranked))
    return KeyWords('"' + ", ".join(chosen) + '"', tuple(chosen), tuple(ranked))


def passage_words(firings: Firings, counts: WordCounts, feature: int) -> KeyWords:
    """The key words of a feature of the passage grain, from the passages for naming."""
    numbers, strengths = firings.by_passage(feature)
    own = [(n, s) for n, s in zip(numbers.tolist(), strengths.tolist(), strict=True) if not held_out(n)]
    if len(own) < FEWEST:
        return KeyWords(None, (), ())
    mass: defaultdict[str, float] = defaultdict(float)
    for number, strength in own:
        for word in counts.stems_in(number):
            mass[word] += strength
    # In units of mean activation, so that SMOOTHING counts passages.
    total = sum(strength for _, strength in own)
    unit = total / len(own)
    score: dict[str, tuple[float, float]] = {}
    for word, value in mass.items():
        q = counts.share(word)
        p = (value / unit + SMOOTHING * q) / (len(own) + SMOOTHING)
        if len(word) > 1 and p > q:
            score[word] = (p * math.log(p / q), p)
    best = sorted(score, key=lambda word: (-score[word][0], word))[:MOST_WORDS]
    words = tuple((counts.spelling[word], score[word][1]) for word in best)
    named = tuple(word for word, _ in words[:IN_NAME])
    if FUNCTION_WORDS.issuperset(named):
        named = tuple(word for word, _ in words if word not in FUNCTION_WORDS)[:IN_NAME]
    return KeyWords(", ".join(named) or None, named, words)


def strong_words(example: Example, floor: float) -> list[tuple[str, float]]:
    """(the word, lower case, its largest activation) of each word with an activation of at least `floor`. What is no
    word, a comma say, stands for itself."""
    text = example.passage.text
    words = [match.span() for match in WORD.finditer(text)]
    found: dict[tuple[int, int], float] = {}
    for (start, end), value in zip(example.passage.spans, example.values, strict=True):
        if value < floor:
            continue
        own = next((span for span in words if span[0] < end and start < span[1]), (start, end))
        found[own] = max(found.get(own, 0.0), value)
    return [(text[start:end].strip().lower() or "¶", value) for (start, end), value in found.items()]


def stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in WORD.findall(text.lower()))


def stem(word: str) -> str:
    """Rough, and English: only to count "door" and "doors" together."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word.rstrip("e")[:-1] + "y" if word.endswith("i") else word.rstrip("e") or word
