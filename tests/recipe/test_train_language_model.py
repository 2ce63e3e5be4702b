"""Training learns, and goes on after an interruption as if there had been none."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import train_language_model
from language_model import Shape
from packing import Stream
from train_language_model import Trainer, rate

SHAPE = Shape(vocab_size=32, d_model=16, n_layers=2, n_heads=2, d_mlp=24, context=32)
STREAM = Stream(np.tile(np.arange(1, 17, dtype=np.uint16), 400), np.array([0, 6400]), np.arange(0, 6400, 16))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(train_language_model, "BATCH_TOKENS", 64)
    monkeypatch.setattr(train_language_model, "SHORT", 16)
    monkeypatch.setattr(train_language_model, "CHECKPOINT", 5)
    monkeypatch.setattr(train_language_model, "CHECK_ROWS", 8)
    # Compiling takes longer than all of this.
    monkeypatch.setattr(torch, "compile", lambda module: module)


def trainer(work) -> Trainer:
    return Trainer(STREAM, STREAM, SHAPE, work, torch.device("cpu"))


def test_an_interrupted_run_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, first = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    first.mkdir()
    once = trainer(whole)
    once.train(640)
    cut = trainer(first)
    # Stops as if killed: after the fifth step, which left a checkpoint.
    for _ in range(5):
        cut._update(cut._batch(16), rate(cut.tokens / 640, cut.step))
        cut.step, cut.tokens = cut.step + 1, cut.tokens + 64
    cut._save()
    again = trainer(first)
    assert (again.step, again.tokens) == (5, 320)
    again.train(640)
    for one, other in zip(once.model.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(other, one)


def test_a_text_that_repeats_is_learnt(tmp_path, monkeypatch):
    monkeypatch.setattr(train_language_model, "WARM_UP_STEPS", 1)
    learner = trainer(tmp_path)
    before = learner.check()
    learner.train(4000)
    assert learner.check() < before - 1


@pytest.mark.parametrize(
    ("share", "step", "expected"), [(0.0, 0, 1 / 60), (0.2, 100, 1.0), (0.5, 100, 1.0), (0.75, 100, 0.5), (1.0, 100, 0)]
)
def test_the_rate_rises_stays_and_falls_straight_to_nothing(share, step, expected):
    assert rate(share, step) == pytest.approx(expected)


def test_windows_are_longer_in_the_last_quarter_and_hold_the_same_number_of_tokens(tmp_path):
    one = trainer(tmp_path)
    assert one._batch(16).shape == (4, 17) and one._batch(32).shape == (2, 33)
