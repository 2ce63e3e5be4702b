"""ReLU(pre) where pre > threshold, else 0: strictly above, feature by feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from undersong.sae.base import SAE, SAEConfig


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
        self.W_enc, self.b_enc, self.threshold = weights["W_enc"], weights["b_enc"], weights["threshold"]

    def _encode(self, x: Tensor) -> Tensor:
        return _jump(x @ self.W_enc + self.b_enc, self.threshold)

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc, b_enc, threshold = self.W_enc[:, indices].contiguous(), self.b_enc[indices], self.threshold[indices]
        return lambda x: _jump(x @ w_enc + b_enc, threshold)


def _jump(pre: Tensor, threshold: Tensor) -> Tensor:
    # A negative threshold lets nothing negative through: the ReLU stands beside it.
    return pre.relu() * (pre > threshold)
