"""What is done to every input alike, taken into the weights instead: scales, centring, whitening, decoder norms.

Each function takes weights in canonical form and gives others that compute, from the model's own numbers, the same
activations and reconstructions as the first did from changed ones. Rules: sae_lens 6.54 (`saes/sae.py`,
`saes/batchtopk_sae.py`) and, for centring, TransformerLens' `center_writing_weights`.
"""

from __future__ import annotations

import torch
from torch import Tensor

Weights = dict[str, Tensor]


def fold_scale(weights: Weights, s: float) -> Weights:
    """For an SAE that was trained on s x: activations keep their units, and so does a threshold on them."""
    return {**weights, "W_enc": weights["W_enc"] * s, "W_dec": weights["W_dec"] / s, "b_dec": weights["b_dec"] / s}


def fold_centring(weights: Weights, apply_b_dec_to_input: bool) -> Weights:
    """For an SAE that reads x less its mean over d_in, from a model whose writing weights were centred.

    What it rebuilds stays centred: layer norms, which are all that reads such a stream, take the mean out anyway.
    """
    w_enc = weights["W_enc"]
    column_means = w_enc.mean(dim=0)  # [d_sae]
    folded = {**weights, "W_enc": w_enc - column_means}
    if apply_b_dec_to_input:
        # b_dec is subtracted before the columns, and they no longer see its mean.
        folded["b_enc"] = weights["b_enc"] - weights["b_dec"].sum() * column_means
    return folded


def fold_whitening(
    weights: Weights, mean: Tensor, matrix: Tensor, inverse: Tensor, apply_b_dec_to_input: bool
) -> Weights:
    """For an SAE that was trained on z = (x - mean) matrix; `mean` [d_in], both matrices [d_in, d_in]."""
    dtype = torch.promote_types(weights["W_enc"].dtype, matrix.dtype)
    mean, matrix, inverse = mean.to(dtype), matrix.to(dtype), inverse.to(dtype)
    folded = {**weights, "W_enc": matrix @ weights["W_enc"].to(dtype)}
    if not apply_b_dec_to_input:
        shift = mean @ folded["W_enc"]
        for name in ("b_enc", "b_gate"):
            if name in weights:
                folded[name] = weights[name] - shift
        if "b_mag" in weights:
            folded["b_mag"] = weights["b_mag"] - shift * weights["r_mag"].exp()
    folded["W_dec"] = weights["W_dec"].to(dtype) @ inverse
    folded["b_dec"] = weights["b_dec"].to(dtype) @ inverse + mean
    return {name: tensor.to(weights[name].dtype) for name, tensor in folded.items()}


def fold_decoder_norms(weights: Weights) -> Weights:
    """Decoder rows of unit length, activations in units of them. Not for top-k, whose choice of features it changes."""
    norms = weights["W_dec"].norm(dim=1).clamp_min(1e-8)  # [d_sae]
    folded = {**weights, "W_enc": weights["W_enc"] * norms, "W_dec": weights["W_dec"] / norms[:, None]}
    if "r_mag" in weights:
        # The magnitude's columns are W_enc exp(r_mag): they have grown already.
        return {**folded, "b_gate": weights["b_gate"] * norms, "b_mag": weights["b_mag"] * norms}
    return {**folded, **{name: weights[name] * norms for name in ("b_enc", "threshold") if name in weights}}
