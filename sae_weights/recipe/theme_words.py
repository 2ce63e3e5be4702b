"""Which features a theme's word finds: MOST of those shown, the ones whose activation lies most on its passages.

A theme is a word that a writer might search for and words that belong to it. Half of the themes are those of the
steering benchmark, with the words that it keeps for finding; the rest stand in themes.tsv. A feature whose name or
evidence has a theme's word may still be about something else: so it is not the namer who says what belongs to a theme,
but the statistic that also chooses key words, p log(p / q) (keyness.py), of having any of the theme's words.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keyness
import numpy as np
import root  # noqa: F401
from benchmarks.steering.themes import read_themes

HERE = Path(__file__).parent
MOST = 5
LEAST_RATIO = 3.0
"""Passages with the theme's words must have this many times their share of the feature's activation."""
LEAST_PASSAGES = 20
"""In so many passages with the theme's words the feature must be active: fewer may be chance."""


def themes() -> dict[str, frozenset[str]]:
    """Theme -> the words that tell its passages."""
    lines = (HERE / "themes.tsv").read_text(encoding="utf-8").splitlines()
    own = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {theme.name: theme.find for theme in read_themes()} | {name: frozenset(words.split()) for name, words in own}


def theme_features(
    texts: Sequence[str], values: np.ndarray, indices: np.ndarray, shown: Sequence[int]
) -> dict[str, list[int]]:
    """Of sparse codes [passages, k] of the texts: theme -> the features that it finds, the first most about it.

    Themes of which no text has a word are left out.
    """
    found = [set(keyness.WORD.findall(text.lower())) for text in texts]
    every = set[str]().union(*found)
    listed = {name: members for name, members in themes().items() if members & every}
    names = tuple(listed)
    pairs = [
        (row, column) for row, words in enumerate(found) for column, name in enumerate(names) if listed[name] & words
    ]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    words = keyness.Words(names, rows, columns, len(texts))
    p, ratio = keyness.log_ratio(words, values, indices, int(indices.max()) + 1)
    enough = (ratio >= np.log(LEAST_RATIO)) & (_passages(words, values, indices, len(p)) >= LEAST_PASSAGES)
    candidates = np.array([index for index in shown if index < len(p)], dtype=np.int64)
    score = np.where(enough, p * ratio, 0.0)[candidates]
    order = np.argsort(-score, axis=0)[:MOST]
    return {
        name: [int(candidates[i]) for i in order[:, column] if score[i, column] > 0]
        for column, name in enumerate(names)
    }


def _passages(words: keyness.Words, values: np.ndarray, indices: np.ndarray, features: int) -> np.ndarray:
    """[features, themes]: in how many passages with the theme's words the feature is active."""
    row, slot = np.nonzero(values[words.rows] > 0)
    at = indices[words.rows][row, slot].astype(np.int64) * len(words.types) + words.columns[row]
    return np.bincount(at, minlength=features * len(words.types)).reshape(features, -1)
