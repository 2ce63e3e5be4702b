"""The k largest of the signed pre-activations of each token, then ReLU: fewer than k where some of them are negative.

With `rescale_acts_by_decoder_norm`, pre-activations are first multiplied by |W_dec row|, and decoding divides by it:
an activation then has the units of a unit direction, and `W_dec` here holds the unit rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import Tensor

from undersong.sae.base import SAE, SAEConfig


class TopKSAE(SAE):
    shapes: ClassVar = {"W_enc": ("d_in", "d_sae"), "W_dec": ("d_sae", "d_in"), "b_enc": ("d_sae",), "b_dec": ("d_in",)}

    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        assert config.k is not None and 0 < config.k <= config.d_sae
        self.k = config.k
        w_enc, b_enc = weights["W_enc"], weights["b_enc"]
        if config.rescale_acts_by_decoder_norm:
            # Folded once: (x W + b) n = x (W n) + b n, and f / n W_dec = f (W_dec / n).
            norms = weights["W_dec"].norm(dim=1)  # [d_sae]
            w_enc, b_enc = w_enc * norms, b_enc * norms
            # A row without length adds nothing, whatever it is divided by.
            weights = {**weights, "W_dec": weights["W_dec"] / norms.clamp_min(1e-12)[:, None]}
        super().__init__(id, config, weights)
        self.W_enc, self.b_enc = w_enc, b_enc

    def _encode(self, x: Tensor) -> Tensor:
        pre = x @ self.W_enc + self.b_enc
        top = pre.topk(self.k, dim=-1, sorted=False)
        return pre.zero_().scatter_(-1, top.indices, top.values.relu_())

    def _reader(self, indices: Tensor) -> Callable[[Tensor], Tensor]:
        # Whether a feature is among the k largest depends on all the others: there is no reading of one column alone.
        def read(x: Tensor) -> Tensor:
            top = (x @ self.W_enc + self.b_enc).topk(self.k, dim=-1, sorted=False)
            chosen = top.indices[:, None, :] == indices[None, :, None]  # [n, columns, k]
            return (top.values.relu_()[:, None, :] * chosen).sum(dim=-1)

        return read
