"""Llama Scope (fnlp, OpenMOSS): two linear layers, trained on activations scaled to a mean norm of sqrt(d).

    Llama3_1-8B-Base-L{l}{R,A,M}-{8,32}x/   hyperparams.json, checkpoints/final.safetensors; one threshold for all
    Llama-Scope-R1-Distill/.../L{l}R/       config.json, sae_weights.safetensors; log_jumprelu_threshold [d_sae]

The scale is sqrt(d) / dataset_average_activation_norm, which the first states in its JSON and the second keeps as a
tensor of that name and its hook point; it is folded in here. The first's threshold is in the model's units and goes
with the scale, the second's is in the SAE's own. With sparsity_include_decoder_norm a threshold is held against the
activation times the length of the feature's decoder row. b_dec is not subtracted.

Source: OpenMOSS/Language-Model-SAEs, `sae.py` and `initializer.py`. sae_lens 6.54 (`llama_scope`,
`llama_scope_r1_distill`) leaves the lengths out: the same where rows have length 1. Activations keep sae_lens' units.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.folding import fold_scale
from undersong.sae.formats.files import expect_shapes, read_all, read_json, read_shapes, renamed, size

EXPECTS = "hyperparams.json and checkpoints/final.safetensors, or config.json and sae_weights.safetensors"
_FIRST = ("hyperparams.json", "checkpoints/final.safetensors")
_SECOND = ("config.json", "sae_weights.safetensors")
_LINEAR = {
    "W_enc": "encoder.weight", "W_dec": "decoder.weight", "b_enc": "encoder.bias", "b_dec": "decoder.bias",
}  # fmt: skip
_NORM = "dataset_average_activation_norm"
_DISTILLED = "deepseek-ai/DeepSeek-R1-Distill-Llama-8B"
# What else their encode would do, and what is stated where it does what is done here. The first family was trained as
# TopK and is used by its threshold.
_MEANT: Mapping[str, tuple[object, ...]] = {
    "act_fn": ("jumprelu", "topk"),
    "norm_activation": ("dataset-wise", "inference"),
    "use_decoder_bias": (True,),
    "use_glu_encoder": (False,),
    "apply_decoder_bias_to_pre_encoder": (False,),
    "sparsity_include_decoder_norm": (True, False),
}


def matches(path: Path) -> bool:
    return all((path / name).is_file() for name in _FIRST) or (
        all((path / name).is_file() for name in _SECOND) and not (path / "cfg.json").exists()
    )


def read_config(path: Path) -> SAEConfig:
    file, weights = (path / name for name in _names(path))
    stated = read_json(file)
    d_in = size(file, stated, "d_model")
    first = file.name == _FIRST[0]
    d_sae = size(file, stated, "d_sae") if first else d_in * size(file, stated, "expansion_factor")
    for key, meant in _MEANT.items():
        if key in stated and stated[key] not in meant:
            expected = " or ".join(map(repr, meant))
            raise WeightsFormat(f"SAE: {file}: {key}: expected {expected}, found {stated[key]!r}")
    threshold = stated.get("jump_relu_threshold")
    if first and not (isinstance(threshold, int | float) and threshold >= 0):
        raise WeightsFormat(f"SAE: {file}: jump_relu_threshold: expected a number of 0 or more, found {threshold!r}")
    name, out = stated.get("hook_point_in"), stated.get("hook_point_out", stated.get("hook_point_in"))
    if out != name:
        raise WeightsFormat(f"SAE: {file}: hook_point_out: expected {name!r}, where it reads; found {out!r}")
    point = parse(str(name))
    if not _is_folded(stated) and _in_json(stated) is None and not _norm_names(stated) & set(read_shapes(weights)):
        raise _no_norm(file, weights, stated)
    model = "meta-llama/Llama-3.1-8B" if first else _DISTILLED
    why = "the family's name" if first else "SAELens' table of releases; its loader says the base model"
    k = stated.get("top_k")
    return SAEConfig(
        architecture="jumprelu",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(name),
        hook_layer=point.layer,
        apply_b_dec_to_input=False,
        context_size=1024,
        model_name=model,
        published_l0=float(k) if first and isinstance(k, int) and k > 0 else None,
        assumptions=(
            Assumption("model", model, why),
            Assumption("b_dec", "not subtracted before encoding", "OpenMOSS' encode, as the family was trained"),
            Assumption("normalisation", "the factor is folded into the weights", "OpenMOSS' encode"),
            Assumption("threshold", "in the model's units" if first else "in the SAE's own", "OpenMOSS' initializer"),
            Assumption("units", "activations of the scaled input, as SAELens has them", "OpenMOSS' are others"),
            Assumption("BOS", "prepended", "as SAELens loads them"),
            *(
                ()
                if "sparsity_include_decoder_norm" in stated
                else (Assumption("decoder norms", "in the threshold", f"{file.name} does not say; OpenMOSS' default"),)
            ),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file, weights_file = (path / name for name in _names(path))
    stated = read_json(file)
    held = read_all(weights_file)
    scale = 1.0 if _is_folded(stated) else config.d_in**0.5 / _norm(file, weights_file, stated, held)
    first = file.name == _FIRST[0]
    names = _LINEAR if first else {**_LINEAR, "threshold": "log_jumprelu_threshold"}
    norms = frozenset(name for name in held if name.startswith(f"{_NORM}."))
    weights = renamed(weights_file, held, names, flipped=frozenset({"W_enc", "W_dec"}), unused=norms)
    weights = {name: tensor.float() for name, tensor in weights.items()}
    shapes = {
        "W_enc": (config.d_in, config.d_sae), "W_dec": (config.d_sae, config.d_in),
        **({} if first else {"threshold": (config.d_sae,)}),
    }  # fmt: skip
    expect_shapes(weights_file, weights, shapes)
    weights["threshold"] = (
        torch.full((config.d_sae,), float(stated["jump_relu_threshold"]) * scale)
        if first
        else weights["threshold"].exp()
    )
    if stated.get("sparsity_include_decoder_norm", True):
        # A row without length never passes.
        weights["threshold"] = weights["threshold"] / weights["W_dec"].norm(dim=1).clamp_min(1e-8)
    return fold_scale(weights, scale)


def _names(path: Path) -> tuple[str, str]:
    return _FIRST if (path / _FIRST[0]).is_file() else _SECOND


def _is_folded(stated: Mapping[str, Any]) -> bool:
    return stated.get("norm_activation") == "inference"


def _in_json(stated: Mapping[str, Any]) -> object:
    norms = stated.get(_NORM)
    return norms.get("in", norms.get(stated.get("hook_point_in"))) if isinstance(norms, dict) else None


def _norm_names(stated: Mapping[str, Any]) -> set[str]:
    """What the tensor with the norm of what is read may be called."""
    return {f"{_NORM}.{stated.get('hook_point_in')}", f"{_NORM}.in"}


def _norm(file: Path, weights: Path, stated: Mapping[str, Any], held: Mapping[str, Tensor]) -> float:
    """The activations' mean norm. Without it every activation would be wrong, so WeightsFormat."""
    in_weights = [held[name] for name in sorted(_norm_names(stated) & set(held))]
    norm = in_weights[0].tolist() if in_weights else _in_json(stated)
    if not isinstance(norm, int | float) or not 0 < norm < float("inf"):
        raise _no_norm(file, weights, stated, norm)
    return norm


def _no_norm(file: Path, weights: Path, stated: Mapping[str, Any], found: object = None) -> WeightsFormat:
    return WeightsFormat(
        f"SAE: {file}: {_NORM}.in: expected a number above 0 there, or {_NORM}.{stated.get('hook_point_in')} in "
        f"{weights.name}; found {found!r}"
    )
