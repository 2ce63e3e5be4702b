"""Token SAEs: an interrupted training ends as an uninterrupted one, whatever it was interrupted in."""

from __future__ import annotations

import numpy as np
import pytest
import token_saes
import torch
from language_model import LanguageModel, Shape
from learner import Learner, Plan
from packing import Stream, row_starts
from token_saes import checkpoint, train_token_saes

SHAPE = Shape(vocab_size=16, d_model=8, n_layers=2, n_heads=2, d_mlp=8, context=16)
PLAN = Plan(12, 2, "batchtopk", dead_after=200)
LAYERS = [0, 1]
PER_BUFFER = 3
BUFFER_TOKENS = 4 * 15


@pytest.fixture(autouse=True)
def small(monkeypatch):
    values = {"LENGTH": 16, "BUFFER_ROWS": 4, "READ_ROWS": 2, "BATCH": 20, "CHECKPOINT": 2, "THRESHOLD_TOKENS": 40}
    for name, value in values.items():
        monkeypatch.setattr(token_saes, name, value)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    return LanguageModel(SHAPE).requires_grad_(False)


def stream(buffers: int) -> Stream:
    """Text of exactly so many buffers."""
    ids = np.random.default_rng(0).integers(1, 16, buffers * 4 * 16).astype(np.uint16)
    found = Stream(ids, np.array([0, len(ids)]), np.arange(0, len(ids), 16) + 1)
    assert len(row_starts(found, 16)) // 4 == buffers
    return found


def train(model, text, work, buffers=5):
    work.mkdir(exist_ok=True)
    return train_token_saes(model, text, LAYERS, PLAN, buffers * PER_BUFFER * 20, work, torch.device("cpu"))


def assert_same(found, expected):
    assert set(found) == set(expected) == set(LAYERS)
    for layer in LAYERS:
        assert set(found[layer]) == {"W_enc", "b_enc", "W_dec", "b_dec", "threshold"}
        for name, tensor in expected[layer].items():
            torch.testing.assert_close(found[layer][name], tensor, rtol=0, atol=0)


@pytest.mark.parametrize("available", [5, 6, 9])
@pytest.mark.parametrize("after", [0, 3, 4, 5])
def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(model, tmp_path, monkeypatch, available, after):
    """Interrupted in the middle of buffer number `after`; there is a checkpoint after 2, after 4 and after all 5."""
    text = stream(available)
    whole = train(model, text, tmp_path / "whole")
    step, taken = Learner.step, []

    def until_then(self, x, share):
        taken.append(share)
        if len(taken) > (after * PER_BUFFER + 1) * len(LAYERS):
            raise KeyboardInterrupt
        return step(self, x, share)

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", until_then)
        if after < 5:
            with pytest.raises(KeyboardInterrupt):
                train(model, text, tmp_path / "parts")
        else:
            train(model, text, tmp_path / "parts")
    file = checkpoint(tmp_path / "parts", PLAN, LAYERS)
    assert (torch.load(file, weights_only=True)["buffers"] if file.exists() else 0) == {0: 0, 3: 2, 4: 4, 5: 5}[after]
    assert_same(train(model, text, tmp_path / "parts"), whole)


def test_where_there_is_less_text_than_asked_for_all_of_it_is_taken_and_the_rate_falls_to_its_end(model, tmp_path):
    assert_same(train(model, stream(3), tmp_path / "a", buffers=50), train(model, stream(3), tmp_path / "b", buffers=3))


def test_text_that_fills_no_buffer_is_refused(model, tmp_path):
    with pytest.raises(SystemExit, match="at least 64 tokens"):
        train(model, Stream(np.ones(20, np.uint16), np.array([0, 20]), np.array([0])), tmp_path)
