"""Matryoshka (Bussmann et al. 2025): BatchTopK whose first features must do alone, and again with the next, and so on.

Of the features, the first `widths[0]`, the first `widths[1]`, ... and at last all rebuild the input by themselves; the
loss is the mean of their squared errors. The first ones then hold what is general and are not hollowed out by later,
narrower ones. Stored as a JumpReLU.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.sae.architectures.batchtopk import BatchTopKObjective
from undersong.sae.learning import Weights, square
from undersong.sae.sparse import Picks, decoded


@dataclass(frozen=True)
class MatryoshkaObjective(BatchTopKObjective):
    """`shares`: of all features, each part's last one; the whole, 1, stands at the end without being named."""

    shares: tuple[float, ...] = (1 / 16, 1 / 8, 1 / 4, 1 / 2)

    def widths(self, d_sae: int) -> list[int]:
        """Each part's end, rising, the last d_sae."""
        return sorted({max(1, round(share * d_sae)) for share in self.shares} | {d_sae})

    def reconstruction_loss(self, w: Weights, target: Tensor, values: Tensor, picks: Picks) -> tuple[Tensor, Tensor]:
        error = target - w["b_dec"]
        losses: list[Tensor] = []
        begin = 0
        for end in self.widths(picks.d_sae):
            inside = (picks.features >= begin) & (picks.features < end)
            error = error - decoded(values[inside], picks.kept(inside), w["W_dec"])
            losses.append(square(error))
            begin = end
        return torch.stack(losses).mean(), error
