"""What the reading benchmark compares: sparse SAEs of the right size, the same activations, a row that says all."""

from __future__ import annotations

import pytest
import torch
from benchmarks.reading import ACTIVE, WAYS, K, compared, line, ours, random_weights, theirs

from tests.support.tiny_models import N_LAYERS, tiny_network, tiny_tokenizer
from undersong.model.load import load_model

LAYER, WIDTH = N_LAYERS // 2, 512
IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny_network("llama").save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return load_model(folder, "cpu")


@pytest.mark.parametrize(("kind", "low", "high"), [("topk", 1, K), ("jumprelu", ACTIVE // 2, 2 * ACTIVE)])
def test_as_many_features_as_are_said_are_active(model, kind, low, high):
    sae = ours(kind, random_weights(model, LAYER, WIDTH, IDS), LAYER)
    row = compared(model, LAYER, sae, None, IDS, rounds=2)
    assert low <= row["active"] <= high
    assert row["tokens_per_second"].keys() == WAYS.keys() - {"theirs"}
    assert row["theirs over sparse"] is None and row["model over both"] > 0
    shown = line({"model": "m", "kind": kind, "width": WIDTH, "chunk": len(IDS)} | row)
    assert "SAELens - tokens/s" in shown and f"{kind} of 512" in shown


@pytest.mark.parametrize("kind", ["topk", "jumprelu"])
def test_sae_lens_encodes_the_same(model, kind):
    pytest.importorskip("sae_lens")
    weights = random_weights(model, LAYER, WIDTH, IDS)
    with torch.no_grad():
        row = compared(model, LAYER, ours(kind, weights, LAYER), theirs(kind, weights), IDS, rounds=1)
    assert row["most different"] < 1e-4 and row["theirs over sparse"] > 0
