"""Automatic names for token features: the word or words it fires on, where those are words a writer might choose."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from codes import Codes

STRONG = 0.5  # A feature is named by what it does above this share of its maximum; below, it follows much else.
PURE = 0.5  # The share of that activation that its named words must have.
FIRST, FURTHER = 0.3, 0.12  # The shares that the first and each further word must have to stand in a name.
FEWEST = 25  # With fewer strong tokens than this it stays unnamed.
LONGEST = 24

# Words nobody would steer toward: grammar, and what goes with talk and numbers in any story.
GRAMMAR = frozenset((Path(__file__).parent / "grammar.txt").read_text(encoding="utf-8").split())

_PIECE = re.compile(r" ?[A-Za-z]+")
_SUFFIXES = ("ing", "edly", "ed", "es", "s", "ly")


@dataclass(frozen=True, slots=True)
class Named:
    """`name` None: no clear reading. `named`: the words of the name."""

    name: str | None
    named: tuple[str, ...]


def word_of_tokens(ids: np.ndarray, vocabulary: list[str]) -> tuple[np.ndarray, list[str]]:
    """ids [n, 511] -> ([n, 511] index of the whole word each token is part of, the words as written)."""
    index: dict[str, int] = {}
    found = np.zeros(ids.shape, np.int32)
    for row, tokens in enumerate(ids):
        pieces = [vocabulary[i] for i in tokens]
        start = 0
        while start < len(pieces):
            stop = start + 1
            if _PIECE.fullmatch(pieces[start]):
                while stop < len(pieces) and pieces[stop].isalpha():
                    stop += 1
            word = "".join(pieces[start:stop]).strip(" ")
            found[row, start:stop] = index.setdefault(word, len(index))
            start = stop
    return found, list(index)


def stem(word: str) -> str:
    """Rough: only to count "door" and "doors" together."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3 and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        word = word[:-1]
    return word.rstrip("e")[:-1] + "y" if word.endswith("i") else word.rstrip("e")


def offered_words(word_index: np.ndarray, words: list[str]) -> set[str]:
    """Lower-case words a writer may care about: neither grammar nor names, at least three letters."""
    counts = Counter(dict(enumerate(np.bincount(word_index.ravel(), minlength=len(words)).tolist())))
    total: Counter[str] = Counter()
    lower: Counter[str] = Counter()
    for number, count in counts.items():
        word = words[number]
        if word.isalpha():
            total[word.lower()] += count
            lower[word] += count if word.islower() else 0
    return {w for w, n in total.items() if len(w) >= 3 and w not in GRAMMAR and lower[w] / n >= 0.6}


def fires_on(codes: Codes, word_index: np.ndarray, words: list[str]) -> list[list[tuple[str, float]]]:
    """For each feature the words it is strongest on, lower case, with their share of that activation."""
    return [shares for _, shares in _strong_words(codes, word_index, words)]


def name_features(codes: Codes, word_index: np.ndarray, words: list[str]) -> list[Named]:
    """Features that fire on the same words get different names."""
    offered = offered_words(word_index, words)
    values, width = _strong(codes), codes.width
    strong = np.bincount(codes.indices[values > 0], minlength=width)
    found = _strong_words(codes, word_index, words)
    candidates = [(total, feature, shares) for feature, (total, shares) in enumerate(found)]
    answers = [Named(None, ()) for _ in range(width)]
    taken: set[str] = set()
    # The feature with most activation on a word has first claim to its plain name.
    for _, feature, shares in sorted(candidates, reverse=True):
        if strong[feature] < FEWEST:
            continue
        named = _name(shares, offered, taken)
        answers[feature] = named
        if named.name is not None:
            taken.add(named.name)
    return answers


def _strong(codes: Codes) -> np.ndarray:
    """The values, those below STRONG of their feature's maximum set to 0."""
    values = codes.values.astype(np.float32)
    most = np.zeros(codes.width, np.float32)
    np.maximum.at(most, codes.indices.ravel(), values.ravel())
    return np.where(values >= STRONG * most[codes.indices], values, 0)


def _strong_words(
    codes: Codes, word_index: np.ndarray, words: list[str]
) -> list[tuple[float, list[tuple[str, float]]]]:
    """For each feature its strong activation in all, and the words that it falls on with their shares."""
    values = _strong(codes)
    places = values > 0
    per_token = np.broadcast_to(word_index[..., None], values.shape)[places]
    index, value = codes.indices[places].astype(np.int64), values[places].astype(np.float64)
    order = np.argsort(index, kind="stable")
    bounds = np.searchsorted(index[order], np.arange(codes.width + 1))
    answers: list[tuple[float, list[tuple[str, float]]]] = []
    for feature in range(codes.width):
        mine = order[bounds[feature] : bounds[feature + 1]]
        types, place = np.unique(per_token[mine], return_inverse=True)
        mass = np.bincount(place, value[mine])
        total = float(mass.sum())
        top = np.argsort(-mass)[:60]
        answers.append((total, [(words[types[i]].lower(), float(mass[i] / total)) for i in top]))
    return answers


def _name(shares: list[tuple[str, float]], offered: set[str], taken: set[str]) -> Named:
    groups: dict[str, list[tuple[str, float]]] = {}
    for word, share in shares:
        groups.setdefault(stem(word) if word.isalpha() else word, []).append((word, share))
    ranked = sorted(groups.values(), key=lambda group: -sum(share for _, share in group))
    chosen: list[str] = []
    reached = 0.0
    for group in ranked[:3]:
        share = sum(part for _, part in group)
        if group[0][0] not in offered or share < (FURTHER if chosen else FIRST):
            return Named(None, ())
        if any(word[:3] == group[0][0][:3] for word in chosen):
            return Named(None, ())  # "greasy, greens": it follows a piece of spelling.
        chosen.append(group[0][0])
        reached += share
        name = '"' + ", ".join(chosen) + '"'
        if reached >= PURE and len(name) <= LONGEST and name not in taken:
            return Named(name, tuple(chosen))
    return Named(None, ())
