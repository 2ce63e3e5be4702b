"""The shipped SAEs in sae_lens itself, which is not installed by default: `pip install sae-lens`, Python 3.11."""

from __future__ import annotations

import pytest
import torch

from undersong.engine.weights import SAEEntry, find_default, read_manifest
from undersong.sae.load import load_sae

sae_lens = pytest.importorskip("sae_lens")
pytestmark = pytest.mark.filterwarnings("default")


@pytest.mark.parametrize("entry", read_manifest(find_default()).saes, ids=lambda entry: entry.id)
def test_sae_lens_loads_it_and_computes_the_same(entry: SAEEntry):
    folder = find_default() / entry.path
    theirs = sae_lens.SAE.load_from_disk(str(folder), device="cpu").float()
    ours = load_sae(folder, dtype=torch.float32)
    resid = ours.b_dec + 10 * torch.randn(256, ours.d_in, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = theirs.encode(resid)
        torch.testing.assert_close(ours.encode(resid), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.decode(expected), theirs.decode(expected), atol=1e-4, rtol=1e-4)
        assert float((expected > 0).float().sum(1).mean()) > 1
