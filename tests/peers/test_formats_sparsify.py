"""sparsify's files against sparsify 1.3.3 itself (`pip install eai-sparsify`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sae.formats.making import D_IN, D_SAE, inputs, random
from undersong.sae.load import load_sae

sparsify = pytest.importorskip("sparsify")
pytestmark = pytest.mark.filterwarnings("default")

VARIANTS: dict[str, dict[str, Any]] = {
    "topk": {},
    "topk, decoder not normalised": {"normalize_decoder": False},
    "groupmax": {"activation": "groupmax", "k": 8},
    "transcoder": {"transcode": True},
    "skip transcoder": {"transcode": True, "skip_connection": True},
    "skip transcoder, before transcode was a key": {"skip_connection": True},
    "groupmax skip transcoder": {"transcode": True, "skip_connection": True, "activation": "groupmax", "k": 8},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_what_sparsify_writes_computes_the_same_here(tmp_path: Path, name: str) -> None:
    config = sparsify.SparseCoderConfig(**{"num_latents": D_SAE, "k": 6, **VARIANTS[name]})
    theirs = sparsify.SparseCoder(D_IN, config)
    with torch.no_grad():
        for seed, (_, parameter) in enumerate(sorted(theirs.named_parameters())):
            parameter.copy_(random(*parameter.shape, seed=seed) * 0.3)
    folder = tmp_path / ("layers.4.mlp" if config.skip_connection or config.transcode else "layers.4")
    theirs.save_to_disk(folder)
    if not config.transcode:
        stated = json.loads((folder / "cfg.json").read_text())
        del stated["transcode"]
        (folder / "cfg.json").write_text(json.dumps(stated))
    theirs = sparsify.SparseCoder.load_from_disk(folder)
    x = inputs()
    with torch.no_grad():
        found = theirs.encode(x)
        expected = torch.zeros(len(x), D_SAE).scatter_(1, found.top_indices, found.top_acts)
        rebuilt = theirs(x).sae_out
    ours = load_sae(folder)
    torch.testing.assert_close(ours.encode(x), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(ours.encode(x) > 0, expected > 0)
    torch.testing.assert_close(ours.rebuild(x), rebuilt, atol=1e-4, rtol=1e-4)
