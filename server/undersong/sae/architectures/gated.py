"""A gate that says whether a feature is on, and a magnitude that says how much; they share W_enc.

on = x W_enc + b_gate > 0;  magnitude = ReLU(x (W_enc exp(r_mag)) + b_mag);  activation = on * magnitude.

Learning (Rajamanoharan et al. 2024a): only the gate pays for being on, so magnitudes do not shrink.

    loss = |x - x^|^2 + sparsity sum ReLU(gate) |W_dec row| + |x - ReLU(gate) W_dec' - b_dec'|^2

where ' stands for what gets no gradient. With annealing, the penalty is sum ReLU(gate)^p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from undersong.sae.active import Active, above
from undersong.sae.annealing import Annealing
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.learning import Moment, Objective, Outcome, Sizes, Weights, square
from undersong.sae.reviving import SHARE, revival


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
        self.b_gate, self.b_mag = weights["b_gate"], weights["b_mag"]
        self.gain = weights["r_mag"].exp()  # [d_sae]

    def _encode(self, x: Tensor) -> Tensor:
        return _gate(self.encoder(x), self.b_gate, self.gain, self.b_mag)

    def _active(self, x: Tensor) -> Active:
        projected = self.encoder(x)
        # Magnitudes are computed of what the gate lets through alone.
        at = above(projected + self.b_gate).picks
        sizes = projected[at.rows, at.features] * self.gain[at.features] + self.b_mag[at.features]
        on = sizes > 0
        return Active(at.kept(on), sizes[on])

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        w_enc = self.encoder.columns(indices)
        b_gate, gain, b_mag = self.b_gate[indices], self.gain[indices], self.b_mag[indices]
        return lambda x: _gate(x @ w_enc, b_gate, gain, b_mag)


def _gate(projected: Tensor, b_gate: Tensor, gain: Tensor, b_mag: Tensor) -> Tensor:
    # x (W_enc exp(r)) = (x W_enc) exp(r): one product serves both.
    return (projected * gain + b_mag).relu_() * (projected + b_gate > 0)


@dataclass(frozen=True)
class GatedObjective(Objective):
    """`sparsity`: of the gate's penalty, where inputs have a mean norm of sqrt(d). `revive`: see StandardObjective."""

    architecture: ClassVar = "gated"
    betas: ClassVar = (0.0, 0.999)

    sparsity: float = 5.0
    anneal: Annealing | None = None
    revive: float = SHARE

    def start(self, sizes: Sizes, random: torch.Generator) -> dict[str, Tensor]:
        weights = super().start(sizes, random)
        del weights["b_enc"]
        return {**weights, **{name: torch.zeros(sizes.d_sae) for name in ("b_gate", "b_mag", "r_mag")}}

    def buffers(self, sizes: Sizes) -> dict[str, Tensor]:
        del sizes
        return self.anneal.buffers() if self.anneal else {}

    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        # One product serves gate, magnitude and penalty; each has a bias of its own.
        projected = x @ w["W_enc"]
        gain, b_dec = w["r_mag"].exp(), w["b_dec"]
        gate_bias = self.bias(w, "b_gate")
        magnitude_bias = w["b_mag"] - (b_dec @ w["W_enc"]) * gain
        gate = projected + gate_bias
        on = gate.detach() > 0
        acts = (projected * gain + magnitude_bias).relu() * on
        error = target - acts @ w["W_dec"] - b_dec
        opened = gate.relu()
        lengths = w["W_dec"].norm(dim=1)
        if self.anneal:
            penalty, buffers = self.anneal.penalty(opened, lengths, buffers, moment.share)
        else:
            penalty = (opened @ lengths).float().mean()
        by_gate = target - opened @ w["W_dec"].detach() - b_dec.detach()
        loss = square(error) + self.sparsity * moment.sparsity * penalty + square(by_gate)
        loss = loss + self.revive * revival(w, x, gate, gate_bias, error, moment.dead)
        fired = acts.detach() > 0
        return Outcome(loss, error.detach(), fired.any(dim=0), fired.sum(dim=1).float().mean(), buffers)
