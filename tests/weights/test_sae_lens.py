"""The shipped SAEs give sae_lens' numbers: those that it gave once and, where it is installed, those it gives now."""

from __future__ import annotations

import pytest
import torch
from sae_files import SAE_LENS_VERSION
from safetensors import safe_open
from safetensors.torch import load_file

from tests.weights.sae_lens_codes import FILE, N_INPUTS, inputs
from undersong.engine.weights import SAEEntry, find_default, read_manifest
from undersong.sae.load import load_sae

EACH = pytest.mark.parametrize("entry", read_manifest(find_default()).saes, ids=lambda entry: entry.id)


@EACH
def test_it_computes_what_sae_lens_computed(entry: SAEEntry):
    kept = {name: tensor for name, tensor in load_file(FILE).items() if name.startswith(f"{entry.id}.")}
    sae = load_sae(find_default() / entry.path)
    codes = sae.encode(inputs(sae, N_INPUTS))
    expected = torch.zeros_like(codes)
    rows, columns = kept[f"{entry.id}.indices"].long().T
    expected[rows, columns] = kept[f"{entry.id}.values"]
    assert float((expected > 0).float().sum(1).mean()) > 1
    torch.testing.assert_close(codes, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(sae.decode(codes), kept[f"{entry.id}.reconstruction"], atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("default")
@EACH
def test_sae_lens_loads_it_and_computes_the_same(entry: SAEEntry):
    sae_lens = pytest.importorskip("sae_lens")
    folder = find_default() / entry.path
    theirs = sae_lens.SAE.load_from_disk(str(folder), device="cpu").float()
    ours = load_sae(folder, dtype=torch.float32)
    resid = inputs(ours, 256)
    with torch.no_grad():
        expected = theirs.encode(resid)
        torch.testing.assert_close(ours.encode(resid), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(ours.decode(expected), theirs.decode(expected), atol=1e-4, rtol=1e-4)
        assert float((expected > 0).float().sum(1).mean()) > 1


def test_the_files_say_the_version_that_they_were_compared_with():
    with safe_open(FILE, "pt") as file:
        assert file.metadata()["sae_lens"] == SAE_LENS_VERSION
