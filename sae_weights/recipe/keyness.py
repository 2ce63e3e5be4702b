"""Which words mark a feature's passages."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
MIN_PASSAGES = 40
SMOOTHING = 30.0


@dataclass(frozen=True, slots=True)
class Words:
    """Which passages have which word types: entry i says that passage `rows[i]` has type `columns[i]`."""

    types: tuple[str, ...]
    rows: np.ndarray
    columns: np.ndarray
    passages: int

    def share(self) -> np.ndarray:
        """[types]: the share of all passages that have the word."""
        return np.bincount(self.columns, minlength=len(self.types)) / self.passages


def count_words(texts: list[str], types: tuple[str, ...] | None = None) -> Words:
    """Over the given types, or else those of two letters and more that at least MIN_PASSAGES passages have."""
    found = [sorted(set(WORD.findall(text.lower()))) for text in texts]
    if types is None:
        totals = Counter(word for words in found for word in words)
        types = tuple(sorted(word for word, count in totals.items() if count >= MIN_PASSAGES and len(word) > 1))
    column = {word: i for i, word in enumerate(types)}
    pairs = [(row, column[word]) for row, words in enumerate(found) for word in words if word in column]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return Words(types, rows, columns, len(texts))


def log_ratio(words: Words, values: np.ndarray, indices: np.ndarray, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Of sparse codes [passages, k]: (p [features, types], log p/q). p: the share of the feature's activation that
    falls on passages with the word, shrunk towards q, its share of all passages."""
    mass, total = np.zeros((features, len(words.types))), np.zeros(features)
    for slot in range(values.shape[1]):
        value, index = values[:, slot].astype(np.float64), indices[:, slot].astype(np.int64)
        flat = index[words.rows] * len(words.types) + words.columns
        mass += np.bincount(flat, value[words.rows], mass.size).reshape(mass.shape)
        total += np.bincount(index, value, features)
    # In units of mean activation, so that SMOOTHING counts passages.
    unit = np.maximum(total / np.maximum(np.bincount(indices[values > 0].ravel(), minlength=features), 1), 1e-9)
    q = words.share()
    p = (mass / unit[:, None] + SMOOTHING * q) / (total / unit + SMOOTHING)[:, None]
    return p, np.log(p / q)


def key_words(words: Words, p: np.ndarray, ratio: np.ndarray, count: int) -> list[list[str]]:
    """For each feature the words of greatest p log(p/q): both telling and frequent."""
    order = np.argsort(-(p * ratio), axis=1)[:, :count]
    return [[words.types[i] for i in row] for row in order]
