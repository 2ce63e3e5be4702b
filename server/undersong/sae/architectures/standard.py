"""ReLU(x W_enc + b_enc), learnt with a penalty on the activations.

    loss = |x - x^|^2 + sparsity sum f |W_dec row|          (Anthropic's update of April 2024)

or sum f^p, p going down while training runs (undersong.sae.annealing). Rows are kept at length 1, which is then the
loss of Bricken et al. 2023: moving a row's length into the encoder changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from undersong.sae.active import Active, above
from undersong.sae.annealing import Annealing
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.learning import Moment, Objective, Outcome, Sizes, Weights, square
from undersong.sae.reviving import SHARE, revival


class StandardSAE(SAE):
    shapes: ClassVar = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_enc": ("d_sae",), "b_dec": ("d_in",)}

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.b_enc = weights["b_enc"]

    def _encode(self, x: Tensor) -> Tensor:
        return self.encoder(x).relu_()

    def _active(self, x: Tensor) -> Active:
        return above(self.encoder(x))

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc, b_enc = self.encoder.columns(indices), self.b_enc[indices]
        return lambda x: (x @ w_enc + b_enc).relu_()


@dataclass(frozen=True)
class StandardObjective(Objective):
    """`sparsity`: of the penalty, where inputs have a mean norm of sqrt(d). `revive`: of what revives dead features."""

    architecture: ClassVar = "standard"

    sparsity: float = 5.0
    anneal: Annealing | None = None
    revive: float = SHARE

    def buffers(self, sizes: Sizes) -> dict[str, Tensor]:
        del sizes
        return self.anneal.buffers() if self.anneal else {}

    def lengths(self, w: Weights) -> Tensor:
        """[d_sae]: what a unit of each feature weighs in the penalty."""
        return w["W_dec"].norm(dim=1)

    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        bias = self.bias(w)
        pre = x @ w["W_enc"] + bias
        acts = pre.relu()
        error = target - acts @ w["W_dec"] - w["b_dec"]
        if self.anneal:
            penalty, buffers = self.anneal.penalty(acts, self.lengths(w), buffers, moment.share)
        else:
            penalty = (acts @ self.lengths(w)).float().mean()
        loss = square(error) + self.sparsity * moment.sparsity * penalty
        loss = loss + self.revive * revival(w, x, pre, bias, error, moment.dead)
        on = acts.detach() > 0
        return Outcome(loss, error.detach(), on.any(dim=0), on.sum(dim=1).float().mean(), buffers)
