"""Taking features out: measured on the shipped weights, and told as it was measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from benchmarks.steering.texts import load_weights
from benchmarks.steering_less import lowered, movable, table

from benchmarks import steering_less
from undersong.engine import weights

DECISION = Path(__file__).parents[2] / "docs/decisions/0007-less-of-a-passage-feature.md"


def test_the_decision_has_the_table_that_was_measured():
    assert table(json.loads(steering_less.OUT.read_text("utf-8"))) in DECISION.read_text("utf-8")


def test_less_of_a_feature_leaves_less_of_it_in_the_text(monkeypatch):
    torch.set_num_threads(2)
    monkeypatch.setattr(steering_less, "N_TOKENS", 16)
    loaded = load_weights(weights.find_default())
    best = movable(loaded)[0]
    assert best.feature.startswith("p") and best.outcome is not None
    with torch.no_grad():
        found = lowered(loaded, best, 2)
    assert found.presence[0] > found.presence[2] and len(found.perplexity_ratio) == 2
    assert found.perplexity_ratio[1] == pytest.approx(1, abs=4) and min(found.perplexity_ratio) > 0
