"""Activations that really are sparse sums of directions: what an SAE is made for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

D, FEATURES, ON = 16, 24, 2


@dataclass(frozen=True, slots=True)
class Mixture:
    """x = 3 sum amount direction + offset. Several `places` share amounts, each with directions of its own."""

    directions: Tensor  # [FEATURES, D]
    offset: Tensor  # [D]

    def sample(self, n: int, seed: int) -> Tensor:
        """[n, D]"""
        return 3 * amounts(n, seed) @ self.directions + self.offset


def amounts(n: int, seed: int) -> Tensor:
    """[n, FEATURES]: ON features a row, from 0.5 to 1.5."""
    random = torch.Generator().manual_seed(seed)
    which = torch.rand(n, FEATURES, generator=random).topk(ON, dim=1).indices
    held = 0.5 + torch.rand(n, ON, generator=random)
    return torch.zeros(n, FEATURES).scatter(1, which, held)


def mixture(seed: int = 0, d: int = D) -> Mixture:
    random = torch.Generator().manual_seed(seed)
    return Mixture(F.normalize(torch.randn(FEATURES, d, generator=random), dim=1), torch.randn(d, generator=random))


def found(directions: Tensor, rows: Tensor) -> Tensor:
    """[FEATURES]: the cosine of each direction with the nearest row."""
    return (directions @ F.normalize(rows, dim=1).T).amax(dim=1)
