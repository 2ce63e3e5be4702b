"""Ratios of two sets of texts, with bootstrap intervals over the texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

DRAWS = 1000
INTERVAL = (0.05, 0.95)


@dataclass(frozen=True, slots=True)
class Ratio:
    """`low`, `high`: a 90 % interval."""

    value: float
    low: float
    high: float


def rate_ratio(after: Tensor, before: Tensor) -> Tensor:
    """Ratio of two rates, each given as (hits, words) [..., 2]. No hits before count as one: none is no rate."""
    return (after[..., 0] / after[..., 1]) / (before[..., 0].clamp_min(1.0) / before[..., 1])


def perplexity_ratio(after: Tensor, before: Tensor) -> Tensor:
    """Ratio of two perplexities, each given as (sum of log probabilities in nats, tokens) [..., 2]."""
    return torch.exp(before[..., 0] / before[..., 1] - after[..., 0] / after[..., 1])


def compared(ratio: Callable[[Tensor, Tensor], Tensor], after: Tensor, before: Tensor, seed: int = 0) -> Ratio:
    """`ratio` of the sums over `after` [n_texts, 2] and `before` [m_texts, 2], each resampled text by text."""
    generator = torch.Generator().manual_seed(seed)
    after, before = after.double(), before.double()
    draws = ratio(_resampled(after, generator), _resampled(before, generator))
    low, high = torch.quantile(draws, torch.tensor(INTERVAL, dtype=torch.float64)).tolist()
    return Ratio(float(ratio(after.sum(dim=0), before.sum(dim=0))), low, high)


def _resampled(texts: Tensor, generator: torch.Generator) -> Tensor:
    """texts: [n, k] -> [DRAWS, k], sums over n texts drawn with replacement."""
    return texts[torch.randint(len(texts), (DRAWS, len(texts)), generator=generator)].sum(dim=1)
