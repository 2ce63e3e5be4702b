"""Sums and peaks of an atom's tokens, from the few active entries and from the whole array."""

from __future__ import annotations

import pytest
import torch

from undersong.engine.kept_codes import SparseCodes
from undersong.engine.summing import Entries
from undersong.sae.active import nonzero


def slow(acts: torch.Tensor, offset: int) -> SparseCodes:
    """acts: [n_tokens, d_sae] of one atom, whole."""
    if acts.shape[0] == 0:
        empty = torch.zeros(0)
        return SparseCodes(empty.long(), empty, empty, empty.long())
    peaks, where = acts.float().max(dim=0)
    features = peaks.nonzero()[:, 0]
    return SparseCodes(features, acts.float().sum(dim=0)[features], peaks[features], where[features] + offset)


RUNS = {
    "a few features on each token": 0.1,
    "every feature on every token": 1.0,
    "nothing": 0.0,
}


@pytest.mark.parametrize("share", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("rounded", [False, True], ids=["different peaks", "several tokens at the peak"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_atoms_codes_are_those_of_its_whole_array(share: float, rounded: bool, dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(2)
    acts = torch.rand(30, 50, generator=random) + 0.1
    acts = torch.where(torch.rand(30, 50, generator=random) < share, (4 * acts).ceil() if rounded else acts, 0.0)
    acts[5:9] = 0
    acts = acts.to(dtype)
    entries = Entries(nonzero(acts))
    for rows, offset in [(slice(0, 30), 0), (slice(2, 7), 3), (slice(5, 9), 1), (slice(29, 30), 0), (slice(4, 4), 2)]:
        found, expected = entries.of(rows, offset), slow(acts[rows], offset)
        assert torch.equal(found.features, expected.features) and torch.equal(found.where, expected.where)
        assert torch.equal(found.peaks, expected.peaks) and found.peaks.dtype == torch.float32
        torch.testing.assert_close(found.sums, expected.sums)
