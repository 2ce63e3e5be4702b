"""ReLU(pre) where pre > threshold, else 0: strictly above, feature by feature.

Learning (Rajamanoharan et al. 2024b; Gemma Scope 2 for the penalty, as sae_lens has it):

    loss = |x - x^|^2 + sparsity mean 2 (L0 - l0)^2 / l0

L0 has no slope: the threshold learns by a straight-through estimator, from pre-activations within half a bandwidth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from undersong.sae.active import Active, above
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.learning import Moment, Objective, Outcome, Sizes, Weights, square
from undersong.sae.reviving import SHARE, revival


class JumpReLUSAE(SAE):
    shapes: ClassVar = {
        "W_enc": ("d_in", "d_sae"),
        "W_dec": ("d_sae", "d_in"),
        "b_enc": ("d_sae",),
        "b_dec": ("d_in",),
        "threshold": ("d_sae",),
    }

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.b_enc, self.threshold = weights["b_enc"], weights["threshold"]

    def _encode(self, x: Tensor) -> Tensor:
        return _jump(self.encoder(x), self.threshold)

    def _active(self, x: Tensor) -> Active:
        return above(self.encoder(x), self.threshold.clamp_min(0))

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc, b_enc, threshold = self.encoder.columns(indices), self.b_enc[indices], self.threshold[indices]
        return lambda x: _jump(x @ w_enc + b_enc, threshold)


def _jump(pre: Tensor, threshold: Tensor) -> Tensor:
    # A negative threshold lets nothing negative through: the ReLU stands beside it.
    return pre.relu() * (pre > threshold)


@dataclass(frozen=True)
class JumpReLUObjective(Objective):
    """`l0`: how many features a token should have. `sparsity`: of the penalty, inputs having a mean norm of sqrt(d).

    `bandwidth`, `first_threshold`: as in sae_lens, in activations of that scale. `revive`: see StandardObjective.
    """

    architecture: ClassVar = "jumprelu"
    betas: ClassVar = (0.0, 0.999)

    l0: float = 32.0
    sparsity: float = 1.0
    bandwidth: float = 0.05
    first_threshold: float = 0.01
    revive: float = SHARE

    def start(self, sizes: Sizes, random: torch.Generator) -> dict[str, Tensor]:
        return {**super().start(sizes, random), "threshold": torch.full((sizes.d_sae,), self.first_threshold)}

    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        bias = self.bias(w)
        pre = x @ w["W_enc"] + bias
        acts, on = jump(pre, w["threshold"], self.bandwidth)
        error = target - acts @ w["W_dec"] - w["b_dec"]
        l0 = on.sum(dim=1)  # [n]
        penalty = (2 / self.l0 * (l0 - self.l0) ** 2).mean()
        loss = square(error) + self.sparsity * moment.sparsity * penalty
        loss = loss + self.revive * revival(w, x, pre, bias, error, moment.dead)
        return Outcome(loss, error.detach(), on.detach().any(dim=0), l0.detach().mean(), buffers)

    def project(self, w: Weights) -> None:
        super().project(w)
        # Below 0 it would let negative pre-activations through.
        w["threshold"].clamp_(min=0.0)


def jump(pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
    """pre [n, d_sae], threshold [d_sae] -> (activations, 1.0 where they are on), learning as _Jump says."""
    return _Jump.apply(pre, threshold, bandwidth)  # pyright: ignore[reportReturnType]


class _Jump(torch.autograd.Function):
    """pre [n, d_sae], threshold [d_sae] -> (pre where above, else 0; 1 where above, else 0).

    Of both, the derivative by the threshold is taken over a rectangle `bandwidth` wide around it; by `pre` there is
    that of the first where it is above, and none of the second (DeepMind's; sae_lens' ste_to_input = False).
    """

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
        above = pre > threshold
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * above, above.to(torch.float32)

    @staticmethod
    def backward(ctx: Any, of_acts: Tensor, of_on: Tensor) -> tuple[Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pre, threshold = ctx.saved_tensors
        near = (pre - threshold).abs() < ctx.bandwidth / 2
        steps = (of_acts * threshold + of_on) * near
        return of_acts * (pre > threshold), -steps.sum(dim=0, dtype=torch.float32) / ctx.bandwidth, None
