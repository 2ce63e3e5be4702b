"""OpenAI's for GPT-2 small: one pickle `{location}[_v4|_v5_32k|_v5_128k]/autoencoders/{layer}.pt`.

Versions 1 and 4 are ReLU, version 5 is TopK. pre_bias is subtracted; and where the activation is TopK, each token's
input is layer-normed first and the reconstruction put back (their `from_state_dict`, which calls this hacky). The
location is in the path only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, Site
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_shapes, renamed, size, unpickle
from undersong.sae.formats.naming import number, whole

EXPECTS = "a .pt of OpenAI's with pre_bias and latent_bias"
_LOCATIONS: dict[str, Site] = {
    "mlp_post_act": "mlp_post",
    "resid_delta_attn": "attn_out",
    "resid_delta_mlp": "mlp_out",
    "resid_post_attn": "resid_mid",
    "resid_post_mlp": "resid_post",
}
_NAMES = {"W_enc": "encoder.weight", "W_dec": "decoder.weight", "b_enc": "latent_bias", "b_dec": "pre_bias"}
_PLAIN = frozenset({"activation", "activation_state_dict"})
_STATISTICS = frozenset({"stats_last_nonzero", "latents_activation_frequency", "latents_mean_square"})


def matches(path: Path) -> bool:
    return path.suffix == ".pt" and path.is_file() and {"pre_bias", "latent_bias"} <= set(unpickle(path, "meta"))


def read_config(path: Path) -> SAEConfig:
    held = unpickle(path, "meta")
    locations = re.findall("|".join(_LOCATIONS), whole(path))
    if not locations:
        raise WeightsFormat(
            f"SAE: {path}: expected one of {', '.join(_LOCATIONS)} in its path, which alone says what it reads; "
            "found none"
        )
    layer = number(path, r"/(\d+)\.pt$", "{layer}.pt")
    point = HookPoint(layer, _LOCATIONS[locations[-1]])
    activation = held.get("activation", "ReLU")
    state: dict[str, Any] = held.get("activation_state_dict") or {}
    if activation not in ("ReLU", "TopK") or state.get("postact_fn", "ReLU") != "ReLU":
        raise WeightsFormat(
            f"SAE: {path}: activation: expected ReLU, or TopK followed by ReLU; "
            f"found {activation!r}, {state.get('postact_fn')!r}"
        )
    top = activation == "TopK"
    k = size(path, state, "k", "activation_state_dict.") if top else None
    d_sae, d_in = matrix(path, read_shapes(path), "encoder.weight")
    normed = "layer norm of each token, undone afterwards" if top else "none"
    return SAEConfig(
        architecture="topk" if top else "standard",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(point),
        hook_layer=layer,
        apply_b_dec_to_input=True,
        k=k,
        context_size=64,
        model_name="gpt2",
        normalization="layer_norm" if top else "none",
        published_l0=None if k is None else float(k),
        assumptions=(
            Assumption("model", "gpt2", "the only one that these were published for"),
            Assumption("site", str(point), f"the path says {locations[-1]}"),
            Assumption("b_dec", "subtracted before encoding", "their own encode"),
            Assumption("normalisation", normed, "their own code: with TopK and not with ReLU"),
            Assumption("BOS", "prepended", "their example takes TransformerLens' to_tokens, which does so"),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    return renamed(path, read_all(path, _PLAIN), _NAMES, flipped=frozenset({"W_enc", "W_dec"}), unused=_STATISTICS)
