"""The k largest of the signed pre-activations of each token, then ReLU: fewer than k where some of them are negative.

With `rescale_acts_by_decoder_norm`, pre-activations are first multiplied by |W_dec row|, and decoding divides by it:
an activation then has the units of a unit direction, and `W_dec` here holds the unit rows.

Learning (Gao et al. 2024): |x - x^|^2 and nothing against activations, plus what revives dead features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from undersong.sae.active import Active, top
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.learning import Moment, Objective, Outcome, Sizes, Weights, square
from undersong.sae.reviving import SHARE, revival
from undersong.sae.sparse import Picks, decoded, picked, top_of_rows


class TopKSAE(SAE):
    shapes: ClassVar = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_enc": ("d_sae",), "b_dec": ("d_in",)}

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        assert config.k is not None and 0 < config.k <= config.d_sae
        self.k = config.k
        w_enc, b_enc = weights["W_enc"], weights["b_enc"]
        if config.rescale_acts_by_decoder_norm:
            # Folded once: (x W + b) n = x (W n) + b n, and f / n W_dec = f (W_dec / n).
            norms = weights["W_dec"].to(b_enc.dtype).norm(dim=1)  # [d_sae]
            w_enc, b_enc = w_enc * norms, b_enc * norms
            # A row without length adds nothing, whatever it is divided by.
            rows = weights["W_dec"] / norms.clamp_min(1e-12)[:, None]
            weights = {**weights, "W_enc": w_enc, "b_enc": b_enc, "W_dec": rows}
        super().__init__(id, config, weights)
        self.b_enc = weights["b_enc"]

    def _encode(self, x: Tensor) -> Tensor:
        pre = self.encoder(x)
        kept = top(pre, self.k)
        return pre.zero_().index_put_((kept.picks.rows, kept.picks.features), kept.values)

    def _active(self, x: Tensor) -> Active:
        return top(self.encoder(x), self.k)

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        # Whether a feature is among the k largest depends on all the others: there is no reading of one column alone.
        def read(x: Tensor) -> Tensor:
            pre = self.encoder(x)
            picks = top(pre, self.k).picks
            chosen = torch.zeros(pre.shape, dtype=torch.bool, device=pre.device)
            chosen[picks.rows, picks.features] = True
            return pre[:, indices] * chosen[:, indices]

        return read


@dataclass(frozen=True)
class TopKObjective(Objective):
    """`k`: how many features a token has. `revive`: see StandardObjective."""

    architecture: ClassVar = "topk"

    k: int = 32
    revive: float = SHARE

    def first_length(self, sizes: Sizes) -> float:
        # k features share little: they may start out long, and leave room for what they do share.
        del sizes
        return 0.5

    def choose(self, pre: Tensor) -> Picks:
        """Which entries of pre [n, d_sae] are kept, before the ReLU."""
        return top_of_rows(pre, self.k)

    def after(self, buffers: Weights, values: Tensor) -> Weights:
        """The buffers after a step in which the kept activations were `values` [m]."""
        del values
        return buffers

    def reconstruction_loss(self, w: Weights, target: Tensor, values: Tensor, picks: Picks) -> tuple[Tensor, Tensor]:
        """(loss, error [n, d_out]) of the activations `values` at `picks`."""
        error = target - decoded(values, picks, w["W_dec"]) - w["b_dec"]
        return square(error), error

    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        bias = self.bias(w)
        with torch.no_grad():
            pre = x @ w["W_enc"] + bias
            picks = self.choose(pre)
        values = picked(x, w["W_enc"], bias, pre, picks).relu()
        loss, error = self.reconstruction_loss(w, target, values, picks)
        loss = loss + self.revive * revival(w, x, pre, bias, error, moment.dead)
        with torch.no_grad():
            on = values > 0
            fired = torch.zeros(picks.d_sae, dtype=torch.bool, device=x.device)
            fired[picks.features[on]] = True
            return Outcome(loss, error.detach(), fired, on.sum() / len(x), self.after(buffers, values.detach()))

    def stated(self) -> dict[str, Any]:
        return {**super().stated(), "k": self.k}
