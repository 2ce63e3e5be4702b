"""Words that a direction raises: what is added where, and what is said of it."""

from __future__ import annotations

import effect
import numpy as np
import pytest
import torch
from effect import raised_words
from language_model import LanguageModel, Shape

VOCABULARY = ["<|endoftext|>", *(f" w{chr(97 + n)}{chr(97 + n)}" for n in range(20)), "x", " A"]
SHAPE = Shape(vocab_size=len(VOCABULARY), d_model=16, n_layers=3, n_heads=2, d_mlp=24, context=32)
IDS = np.random.default_rng(0).integers(1, 21, (6, 32))
IDS[:, 0] = 0
LAYER = 1
CUDA = pytest.param("cuda", marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")])


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    found = LanguageModel(SHAPE).requires_grad_(False)
    found.embedding.mul_(20)
    return found


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_the_words_that_a_direction_leads_to_are_raised(model, device):
    """What is added after the last layer goes straight to the logits: a row of the embedding raises its own word."""
    rows = [3, 9]
    directions = torch.nn.functional.normalize(model.embedding[rows], dim=1)
    found = raised_words(model.to(device), 2, directions.cpu(), IDS, VOCABULARY)
    assert [raised[0] for raised, _ in found] == [VOCABULARY[row].strip() for row in rows]
    assert all(VOCABULARY[row].strip() not in lowered[:5] for row, (_, lowered) in zip(rows, found, strict=True))
    model.cpu()


def test_every_token_but_the_first_is_steered_as_in_the_engine(model, monkeypatch):
    entered = []
    finish = LanguageModel.finish
    monkeypatch.setattr(LanguageModel, "finish", lambda self, x, start: entered.append(x) or finish(self, x, start))
    direction = torch.nn.functional.normalize(torch.ones(1, 16), dim=1)
    raised_words(model, LAYER, direction, IDS, VOCABULARY)
    plain, steered = entered
    assert (steered[:, 0] == plain[:, 0]).all()
    added = steered[:, 1:] - plain[:, 1:]
    reach = effect.STRENGTH * plain[:, 1:].norm(dim=-1).mean()
    torch.testing.assert_close(added, (reach * direction).expand_as(added), atol=1e-5, rtol=1e-4)
