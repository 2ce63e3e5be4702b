"""Automatic names for token features: the word or words it fires on, where those are words a writer might choose."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

STRONG = 0.5  # A feature is named by what it does above this share of its maximum; below, it follows much else.
PURE = 0.5  # The share of that activation that its named words must have.
FIRST, FURTHER = 0.3, 0.12  # The shares that the first and each further word must have to stand in a name.
FEWEST = 25  # With fewer strong tokens than this it stays unnamed.
LONGEST = 24
PROVENANCE = "automatic: the words it is strongest on"

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


def name_features(
    values: np.ndarray, indices: np.ndarray, width: int, word_index: np.ndarray, words: list[str]
) -> list[Named]:
    """values, indices [n, 511, k] of the token SAE; features that fire on the same words get different names."""
    offered = offered_words(word_index, words)
    values = values.astype(np.float32)
    most = np.zeros(width, np.float32)
    np.maximum.at(most, indices.ravel(), values.ravel())
    values = np.where(values >= STRONG * most[indices], values, 0)
    strong = np.bincount(indices[values > 0], minlength=width)
    per_token = np.repeat(word_index.ravel(), values.shape[2])
    flat_index, flat_value = indices.ravel().astype(np.int64), values.ravel().astype(np.float64)
    order = np.argsort(flat_index, kind="stable")
    bounds = np.searchsorted(flat_index[order], np.arange(width + 1))
    candidates: list[tuple[float, int, list[tuple[str, float]]]] = []
    for feature in range(width):
        mine = order[bounds[feature] : bounds[feature + 1]]
        mass = np.bincount(per_token[mine], flat_value[mine])
        top = np.argsort(-mass)[:60]
        total = mass.sum()
        candidates.append((float(total), feature, [(words[i].lower(), mass[i] / total) for i in top if mass[i] > 0]))
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
