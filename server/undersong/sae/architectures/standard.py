"""ReLU(x W_enc + b_enc)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from undersong.sae.base import SAE, SAEConfig


class StandardSAE(SAE):
    shapes: ClassVar = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_enc": ("d_sae",), "b_dec": ("d_in",)}

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.W_enc, self.b_enc = weights["W_enc"], weights["b_enc"]

    def _encode(self, x: Tensor) -> Tensor:
        return (x @ self.W_enc + self.b_enc).relu_()

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc, b_enc = self.W_enc[:, indices].contiguous(), self.b_enc[indices]
        return lambda x: (x @ w_enc + b_enc).relu_()
