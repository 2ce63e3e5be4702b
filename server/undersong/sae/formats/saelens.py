"""SAELens folders: `cfg.json` and `sae_weights.safetensors`, names and orientation as our canonical form.

From version 6 what concerns the model is under `metadata`; before, everything is flat and some keys had other names.
We add one key of our own, `metadata.undersong`: {"grain": "passage"} marks a dictionary of passage means, with
"prior_tokens" (SAE.pool) beside it.

What changes the numbers and is not supported is refused by name: activation norms, reshaped heads, other sites than
the residual stream, transcoders, models whose weights were centred.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import Grain, SAEConfig
from undersong.sae.formats.files import read_json, read_tensors

EXPECTS = "cfg.json and sae_weights.safetensors"
_CONFIG, _WEIGHTS = "cfg.json", "sae_weights.safetensors"

# Version 6 states these and no others beside `metadata`.
_KNOWN = frozenset({
    "architecture", "d_in", "d_sae", "dtype", "device", "apply_b_dec_to_input", "normalize_activations",
    "reshape_activations", "k", "rescale_acts_by_decoder_norm", "metadata",
})  # fmt: skip
_POST = re.compile(r"blocks\.(\d+)\.hook_resid_post")
_PRE = re.compile(r"blocks\.(\d+)\.hook_resid_pre")


def matches(path: Path) -> bool:
    return (path / _CONFIG).is_file() or (path / _WEIGHTS).is_file()


def read_config(path: Path) -> SAEConfig:
    """WeightsMissing or WeightsFormat; no tensor is read."""
    file = path / _CONFIG
    stated = read_json(file)
    flat = stated if isinstance(stated.get("metadata"), dict) else _from_flat(file, stated)
    return _config(file, flat, flat["metadata"])


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    sizes = {"d_in": config.d_in, "d_sae": config.d_sae}
    expected = {
        name: tuple(sizes[size] for size in shape) for name, shape in ARCHITECTURES[config.architecture].shapes.items()
    }
    tensors = read_tensors(path / _WEIGHTS, expected, optional=frozenset({"scaling_factor"}))
    scaling = tensors.pop("scaling_factor", None)
    if scaling is not None and not torch.equal(scaling, torch.ones_like(scaling)):
        raise WeightsFormat(f"SAE: {path / _WEIGHTS}: expected scaling_factor to be all ones (unused), found others")
    return tensors


def _from_flat(file: Path, stated: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration from before version 6, in the words of version 6. Keys of training are passed over."""
    architecture = stated.get("architecture", "standard")
    activation = stated.get("activation_fn_str", "relu")
    kwargs = stated.get("activation_fn_kwargs") or {}
    if architecture == "standard" and activation == "topk":
        architecture = "topk"
    elif activation not in ("relu", "topk"):
        raise WeightsFormat(f"SAE: {file}: activation_fn_str: expected relu or topk, found {activation!r}")
    norm = stated.get("normalize_activations", "none")
    if isinstance(norm, bool):
        norm = "expected_average_only_in" if norm else "none"
    hook_name = stated.get("hook_name", stated.get("hook_point"))
    metadata = {
        "hook_name": hook_name,
        "hook_head_index": stated.get("hook_head_index", stated.get("hook_point_head_index")),
        **{key: stated[key] for key in ("model_name", "context_size", "model_from_pretrained_kwargs") if key in stated},
        "prepend_bos": stated.get("prepend_bos", True),
    }
    return {
        "architecture": architecture,
        "d_in": stated.get("d_in"),
        "d_sae": stated.get("d_sae"),
        "apply_b_dec_to_input": stated.get("apply_b_dec_to_input", True),
        "normalize_activations": norm,
        "reshape_activations": "hook_z" if str(hook_name).endswith("hook_z") else "none",
        **({"k": kwargs.get("k")} if architecture == "topk" else {}),
        "metadata": metadata,
    }


def _config(file: Path, stated: Mapping[str, Any], metadata: Mapping[str, Any]) -> SAEConfig:
    def expect(key: str, expected: str, valid: bool, found: Any) -> None:
        if not valid:
            raise WeightsFormat(f"SAE: {file}: {key}: expected {expected}, found {found!r}")

    unknown = sorted(set(stated) - _KNOWN)
    expect("keys", f"none beside {', '.join(sorted(_KNOWN))}", not unknown, ", ".join(unknown))
    architecture = stated.get("architecture")
    expect("architecture", f"one of {', '.join(ARCHITECTURES)}", architecture in ARCHITECTURES, architecture)
    for key in ("d_in", "d_sae"):
        expect(key, "a whole number above 0", _is_size(stated.get(key)), stated.get(key))
    k = stated.get("k")
    if architecture == "topk":
        valid = _is_size(k) and k <= stated["d_sae"]
        expect("k", f"a whole number from 1 to {stated['d_sae']}", valid, k)
    for key, default in (("apply_b_dec_to_input", True), ("rescale_acts_by_decoder_norm", False)):
        expect(key, "true or false", isinstance(stated.get(key, default), bool), stated.get(key))
    for key in ("normalize_activations", "reshape_activations"):
        expect(key, "none", stated.get(key, "none") == "none", stated.get(key))
    expect("hook_head_index", "null", metadata.get("hook_head_index") is None, metadata.get("hook_head_index"))
    # Centred weights leave a residual stream without its mean: not the one that transformers computes.
    centred = (metadata.get("model_from_pretrained_kwargs") or {}).get("center_writing_weights", False)
    expect("model_from_pretrained_kwargs.center_writing_weights", "false", not centred, centred)
    own = metadata.get("undersong") or {}
    grain = own.get("grain", "token")
    expect("undersong.grain", "token or passage", grain in ("token", "passage"), grain)
    prior = own.get("prior_tokens", 0)
    expect("undersong.prior_tokens", "a whole number of 0 or more", prior == 0 or _is_size(prior), prior)
    context_size = metadata.get("context_size")
    return SAEConfig(
        architecture=cast(str, architecture),
        d_in=stated["d_in"],
        d_sae=stated["d_sae"],
        hook_name=str(metadata.get("hook_name")),
        hook_layer=_layer(file, metadata.get("hook_name")),
        grain=cast(Grain, grain),
        prior_tokens=prior,
        apply_b_dec_to_input=stated.get("apply_b_dec_to_input", True),
        k=k if architecture == "topk" else None,
        rescale_acts_by_decoder_norm=architecture == "topk" and stated.get("rescale_acts_by_decoder_norm", False),
        prepend_bos=metadata.get("prepend_bos") is not False,
        context_size=context_size if _is_size(context_size) else None,
        model_name=metadata.get("model_name"),
        extras=metadata,
    )


def _layer(file: Path, hook_name: object) -> int:
    name = str(hook_name)
    if found := _POST.fullmatch(name):
        return int(found[1])
    # What enters a block is what left the one before.
    if (found := _PRE.fullmatch(name)) and int(found[1]) > 0:
        return int(found[1]) - 1
    raise WeightsFormat(
        f"SAE: {file}: hook_name: expected blocks.N.hook_resid_post (or hook_resid_pre, N > 0), found {hook_name!r}"
    )


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
