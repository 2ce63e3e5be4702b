"""The largest pre-activation of each of k groups of neighbouring features, if positive: sparsify's `groupmax`.

Features go by d_sae / k to a group. Where two of a group are equal and largest the first is taken, as torch does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import Tensor

from undersong.sae.active import Active, above
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.sparse import Picks


class GroupMaxSAE(SAE):
    shapes: ClassVar = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_enc": ("d_sae",), "b_dec": ("d_in",)}

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        assert config.k is not None and config.d_sae % config.k == 0
        super().__init__(id, config, weights)
        self.k = config.k
        self.b_enc = weights["b_enc"]

    def _encode(self, x: Tensor) -> Tensor:
        return _largest(self._grouped(x)).flatten(-2)

    def _active(self, x: Tensor) -> Active:
        best = self._grouped(x).max(dim=-1)  # [n, k]
        largest = above(best.values)
        rows, groups = largest.picks.rows, largest.picks.features
        features = groups * (self.d_sae // self.k) + best.indices[rows, groups]
        return Active(Picks(rows, features, len(x), self.d_sae), largest.values)

    def _grouped(self, x: Tensor) -> Tensor:
        """Pre-activations after ReLU [n, k, d_sae / k]."""
        return self.encoder(x).relu_().unflatten(-1, (self.k, -1))

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        # A feature competes within its group only: the groups asked for are computed, whole.
        size = self.d_sae // self.k
        groups, of = torch.unique(indices // size, return_inverse=True)
        members = (groups[:, None] * size + torch.arange(size, device=indices.device)).flatten()
        w_enc, b_enc = self.encoder.columns(members), self.b_enc[members]
        columns = of * size + indices % size

        def read(x: Tensor) -> Tensor:
            pre = (x @ w_enc + b_enc).relu_().unflatten(-1, (len(groups), size))
            return _largest(pre).flatten(-2)[:, columns]

        return read


def _largest(pre: Tensor) -> Tensor:
    """[..., groups, size] with all but the largest of each group 0."""
    best = pre.max(dim=-1, keepdim=True)
    return torch.zeros_like(pre).scatter_(-1, best.indices, best.values)
