"""Top-p sampling as one would write it down first: the slow reference."""

from __future__ import annotations

import torch

from undersong.model.sampling import Sampler


def choose_plainly(logits: torch.Tensor, sampler: Sampler) -> int:
    """One token id of `logits` [vocab]."""
    if sampler.temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits / sampler.temperature, dim=-1)
    likely, tokens = probabilities.sort(descending=True, stable=True)
    # A token is kept if those before it do not reach top_p yet: the first always is.
    kept = tokens[likely.cumsum(dim=-1) - likely < sampler.top_p].sort().values
    sums = probabilities[kept].cumsum(dim=-1)
    place = int(torch.searchsorted(sums, torch.tensor([sampler.draw()]) * sums[-1:], right=True))
    return int(kept[min(place, len(kept) - 1)])
