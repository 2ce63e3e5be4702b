"""A gate that says whether a feature is on, and a magnitude that says how much; they share W_enc.

on = x W_enc + b_gate > 0;  magnitude = ReLU(x (W_enc exp(r_mag)) + b_mag);  activation = on * magnitude.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from undersong.sae.base import SAE, SAEConfig


class GatedSAE(SAE):
    shapes: ClassVar = {
        "W_enc": ("d_in", "d_sae"),
        "W_dec": ("d_sae", "d_in"),
        "b_gate": ("d_sae",),
        "b_mag": ("d_sae",),
        "r_mag": ("d_sae",),
        "b_dec": ("d_in",),
    }

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.W_enc, self.b_gate, self.b_mag = weights["W_enc"], weights["b_gate"], weights["b_mag"]
        self.gain = weights["r_mag"].exp()  # [d_sae]

    def _encode(self, x: Tensor) -> Tensor:
        return _gate(x @ self.W_enc, self.b_gate, self.gain, self.b_mag)

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc = self.W_enc[:, indices].contiguous()
        b_gate, gain, b_mag = self.b_gate[indices], self.gain[indices], self.b_mag[indices]
        return lambda x: _gate(x @ w_enc, b_gate, gain, b_mag)


def _gate(projected: Tensor, b_gate: Tensor, gain: Tensor, b_mag: Tensor) -> Tensor:
    # x (W_enc exp(r)) = (x W_enc) exp(r): one product serves both.
    return (projected * gain + b_mag).relu_() * (projected + b_gate > 0)
