"""A theme finds the features whose activation lies most on passages with its words, if it lies there enough."""

from __future__ import annotations

import numpy as np
import pytest
import theme_words
from benchmarks.steering.themes import read_themes
from theme_words import theme_features, themes

# Feature 0 is about ships, 1 a little, 2 about money, 3 about everything.
SHIPS, MONEY, NEITHER = "the ship lay at anchor", "a debt of ten pounds", "nothing was said"
TEXTS = [SHIPS] * 100 + [MONEY] * 100 + [NEITHER] * 800
STRONG = {
    0: [100, 0, 0],
    1: [60, 0, 60],
    2: [0, 100, 0],
    3: [100, 100, 800],
}


def codes() -> tuple[np.ndarray, np.ndarray]:
    """values, indices [passages, 4]: feature i in column i, active in so many passages of each kind."""
    values = np.zeros((len(TEXTS), len(STRONG)), np.float32)
    for feature, counts in STRONG.items():
        for start, count in zip((0, 100, 200), counts, strict=True):
            values[start : start + count, feature] = 1.0
    return values, np.tile(np.arange(len(STRONG)), (len(TEXTS), 1))


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    found = {"sea": frozenset({"ship", "anchor"}), "money": frozenset({"debt"}), "war": frozenset({"gun"})}
    monkeypatch.setattr(theme_words, "themes", lambda: found)


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ([0, 1, 2, 3], {"sea": [0, 1], "money": [2]}),
        ([1, 3], {"sea": [1], "money": []}),
        ([], {"sea": [], "money": []}),
    ],
)
def test_of_the_shown_features_those_most_about_a_theme_come_first(shown, expected):
    assert theme_features(TEXTS, *codes(), shown) == expected


@pytest.mark.parametrize(("least", "expected"), [(60, [0, 1]), (61, [0])])
def test_a_feature_is_found_by_a_theme_that_it_shares_enough_passages_with(monkeypatch, least, expected):
    monkeypatch.setattr(theme_words, "LEAST_PASSAGES", least)
    assert theme_features(TEXTS, *codes(), [0, 1, 2, 3])["sea"] == expected


def test_a_theme_finds_a_few_features_only(monkeypatch):
    monkeypatch.setattr(theme_words, "MOST", 1)
    assert theme_features(TEXTS, *codes(), [0, 1, 2, 3])["sea"] == [0]


def test_no_theme_of_the_benchmark_is_found_by_the_words_that_score_it(monkeypatch):
    monkeypatch.undo()
    found = themes()
    for theme in read_themes():
        assert found[theme.name] == theme.find, theme.name
