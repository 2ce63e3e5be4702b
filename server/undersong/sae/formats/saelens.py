"""SAELens folders: `cfg.json` and `sae_weights.safetensors`, names and orientation as our canonical form.

From version 6 what concerns the model is under `metadata`; before, everything is flat and some keys had other names.
We add one key of our own, `metadata.undersong`: {"grain": "passage"} marks a dictionary of passage means, with
"prior_tokens" (SAE.pool) beside it.

What changes the numbers and cannot be had from the folder is refused by name: a scale of the activations that is
stated nowhere, single heads, weights folded where that changes what is read. Folders that SAELens trains in have other
keys: saelens_training.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, parse
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.config import Assumption, Grain, Normalization, SAEConfig
from undersong.sae.folding import fold_centring
from undersong.sae.formats.files import read_json, read_tensors

EXPECTS = "cfg.json and sae_weights.safetensors"
CONFIG, WEIGHTS = "cfg.json", "sae_weights.safetensors"
THEIRS = (
    "standard", "topk", "jumprelu", "gated",
    "transcoder", "jumprelu_transcoder", "skip_transcoder", "jumprelu_skip_transcoder",
)  # fmt: skip
# SAELens has none of the others; the rest of the file is as it would write it.
_BY_RANK = ("topk", "groupmax")
NAMES = (
    *THEIRS, "topk_transcoder", "topk_skip_transcoder", "crosscoder",
    "groupmax", "groupmax_transcoder", "groupmax_skip_transcoder",
)  # fmt: skip

# Version 6 states these and no others beside `metadata`.
_KNOWN = frozenset({
    "architecture", "d_in", "d_sae", "d_out", "dtype", "device", "apply_b_dec_to_input", "normalize_activations",
    "reshape_activations", "k", "rescale_acts_by_decoder_norm", "metadata",
})  # fmt: skip
_NORMALIZATIONS = ("none", "layer_norm", "constant_norm_rescale")
# Options of TransformerLens that change what some sites hold, and the sites that they leave alone.
_FOLDED = ("fold_ln", "fold_value_biases", "refactor_factored_attn_matrices")
_STREAM = frozenset({"embed", "resid_pre", "resid_mid", "resid_post", "mlp_out", "attn_out"})
_CENTRED = ("standard", "topk", "jumprelu")


def matches(path: Path) -> bool:
    return (path / CONFIG).is_file() or (path / WEIGHTS).is_file()


def read_config(path: Path) -> SAEConfig:
    """WeightsMissing or WeightsFormat; no tensor is read."""
    file = path / CONFIG
    return config_from(file, current_form(file, read_json(file)))


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    expected = {
        name: tuple(config.sizes[size] for size in shape)
        for name, shape in ARCHITECTURES[config.architecture].shapes.items()
    }
    tensors = read_tensors(path / WEIGHTS, expected, optional=frozenset({"scaling_factor"}))
    scaling = tensors.pop("scaling_factor", None)
    if scaling is not None and not torch.equal(scaling, torch.ones_like(scaling)):
        raise WeightsFormat(f"SAE: {path / WEIGHTS}: expected scaling_factor to be all ones (unused), found others")
    return centred(tensors, config)


def centred(weights: dict[str, Tensor], config: SAEConfig) -> dict[str, Tensor]:
    """`weights` for the stream as transformers has it, where `config` says that a centred one was read."""
    return fold_centring(weights, config.apply_b_dec_to_input) if _centred(config.extras or {}) else weights


def current_form(file: Path, stated: dict[str, Any]) -> dict[str, Any]:
    """What `file` states, in the words of version 6."""
    return stated if isinstance(stated.get("metadata"), dict) else _from_flat(file, stated)


def _from_flat(file: Path, stated: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration from before version 6, in the words of version 6. Keys of training are passed over."""
    architecture = stated.get("architecture", "standard")
    activation = stated.get("activation_fn_str", stated.get("activation_fn", "relu"))
    kwargs = stated.get("activation_fn_kwargs") or {}
    if architecture == "standard" and activation == "topk":
        architecture = "topk"
    elif activation not in ("relu", "topk"):
        raise WeightsFormat(f"SAE: {file}: activation_fn_str: expected relu or topk, found {activation!r}")
    norm = stated.get("normalize_activations")
    if norm is None or isinstance(norm, bool):
        norm = "expected_average_only_in" if norm else "none"
    hook_name = stated.get("hook_name", stated.get("hook_point"))
    metadata = {
        "hook_name": hook_name,
        "hook_head_index": stated.get("hook_head_index", stated.get("hook_point_head_index")),
        **{key: stated[key] for key in ("model_name", "context_size", "model_from_pretrained_kwargs") if key in stated},
        **({"prepend_bos": stated["prepend_bos"]} if "prepend_bos" in stated else {}),
    }
    return {
        "architecture": architecture,
        "d_in": stated.get("d_in"),
        "d_sae": stated.get("d_sae"),
        **({"apply_b_dec_to_input": stated["apply_b_dec_to_input"]} if "apply_b_dec_to_input" in stated else {}),
        "normalize_activations": norm,
        "reshape_activations": "hook_z" if str(hook_name).endswith("hook_z") else "none",
        **({"k": kwargs.get("k")} if architecture == "topk" else {}),
        "metadata": metadata,
    }


def config_from(file: Path, stated: Mapping[str, Any]) -> SAEConfig:
    """A configuration in the words of version 6, checked. WeightsFormat with the key, what was expected and found."""
    metadata: Mapping[str, Any] = stated["metadata"]

    def expect(key: str, expected: str, valid: bool, found: Any) -> None:
        if not valid:
            raise WeightsFormat(f"SAE: {file}: {key}: expected {expected}, found {found!r}")

    unknown = sorted(set(stated) - _KNOWN)
    expect("keys", f"none beside {', '.join(sorted(_KNOWN))}", not unknown, ", ".join(unknown))
    architecture = stated.get("architecture")
    expect("architecture", f"one of {', '.join(NAMES)}", architecture in NAMES, architecture)
    across = "transcoder" in cast(str, architecture)
    for key in ("d_in", "d_sae", *(["d_out"] if across else [])):
        expect(key, "a whole number above 0", _is_size(stated.get(key)), stated.get(key))
    k = stated.get("k")
    by_rank = str(architecture).startswith(_BY_RANK)
    if by_rank:
        valid = _is_size(k) and k <= stated["d_sae"]
        expect("k", f"a whole number from 1 to {stated['d_sae']}", valid, k)
        grouped = str(architecture).startswith("groupmax")
        expect("k", f"a divisor of d_sae {stated['d_sae']}", not grouped or stated["d_sae"] % k == 0, k)
    subtracts = stated.get("apply_b_dec_to_input", not across)
    for key, value in (
        ("apply_b_dec_to_input", subtracts),
        ("rescale_acts_by_decoder_norm", stated.get("rescale_acts_by_decoder_norm", False)),
    ):
        expect(key, "true or false", isinstance(value, bool), value)
    expect("apply_b_dec_to_input", "false, as b_dec lies in what is rebuilt", not (across and subtracts), subtracts)
    norm = stated.get("normalize_activations", "none")
    # SAELens itself loads the last two without their numbers and computes other activations.
    expect("normalize_activations", f"one of {', '.join(_NORMALIZATIONS)}, as the folder has no factor",
           norm in _NORMALIZATIONS, norm)  # fmt: skip
    point = _mlp_input(metadata, _point(file, "hook_name", metadata.get("hook_name")))
    out = _point(file, "hook_name_out", metadata.get("hook_name_out")) if across else None
    reshape = stated.get("reshape_activations", "none")
    expect("reshape_activations", "none, or hook_z where heads' results are read",
           reshape == "none" or (reshape == "hook_z" and point.site == "attn_z"), reshape)  # fmt: skip
    expect("hook_head_index", "null", metadata.get("hook_head_index") is None, metadata.get("hook_head_index"))
    changed = metadata.get("model_from_pretrained_kwargs") or {}
    for key in _FOLDED:
        expect(f"model_from_pretrained_kwargs.{key}", f"false at {point}",
               not changed.get(key) or point.site in _STREAM, changed.get(key))  # fmt: skip
    expect("model_from_pretrained_kwargs.center_writing_weights", f"false, except for {', '.join(_CENTRED)}",
           not _centred(metadata) or (architecture in _CENTRED and point.site in _STREAM), True)  # fmt: skip
    own = metadata.get("undersong") or {}
    grain = own.get("grain", "token")
    expect("undersong.grain", "token or passage", grain in ("token", "passage"), grain)
    prior = own.get("prior_tokens", 0)
    expect("undersong.prior_tokens", "a whole number of 0 or more", prior == 0 or _is_size(prior), prior)
    context_size, l0 = metadata.get("context_size"), metadata.get("l0")
    return SAEConfig(
        architecture=cast(str, architecture),
        d_in=stated["d_in"],
        d_sae=stated["d_sae"],
        hook_name=str(point) if point.site == "mlp_in" else str(metadata["hook_name"]),
        hook_layer=point.layer,
        grain=cast(Grain, grain),
        prior_tokens=prior,
        apply_b_dec_to_input=subtracts,
        k=k if by_rank else None,
        rescale_acts_by_decoder_norm=by_rank and stated.get("rescale_acts_by_decoder_norm", False),
        prepend_bos=metadata.get("prepend_bos") is not False,
        context_size=context_size if _is_size(context_size) else None,
        model_name=metadata.get("model_name"),
        extras=metadata,
        d_out=stated["d_out"] if across else None,
        hook_out=str(metadata["hook_name_out"]) if out else None,
        normalization=cast(Normalization, norm),
        published_l0=float(l0) if isinstance(l0, int | float) and l0 > 0 else None,
        assumptions=tuple(_assumed(stated, metadata)),
    )


def _assumed(stated: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[Assumption]:
    found = [
        Assumption(what, value, f"{CONFIG} does not say, and SAELens takes this")
        for what, value, says in (
            ("b_dec", "subtracted before encoding", "apply_b_dec_to_input" in stated or "d_out" in stated),
            ("BOS", "prepended", "prepend_bos" in metadata),
            ("normalisation", "none", "normalize_activations" in stated),
        )
        if not says
    ]
    if str(metadata.get("hook_name")).endswith("hook_mlp_in") and isinstance(metadata.get("hf_hook_name"), str):
        why = (
            "SAELens calls what leaves the norm before Gemma-3's MLP hook_mlp_in, TransformerLens' name for what enters"
        )
        found.append(Assumption("input", f"as hf_hook_name says: {metadata['hf_hook_name']}", why))
    if _centred(metadata):
        found.append(
            Assumption(
                "stream",
                "centred: folded into W_enc",
                f"{CONFIG} says center_writing_weights, and transformers centres none",
            )
        )
    elif str(metadata.get("model_name")).startswith("gpt2") and "model_from_pretrained_kwargs" not in metadata:
        why = (
            f"{CONFIG} does not say; gpt2-small-res-jb, its feature-splitting SAEs and gpt2-small-mlp-tm read a "
            'centred one: for these add "model_from_pretrained_kwargs": {"center_writing_weights": true}'
        )
        found.append(Assumption("stream", "not centred", why))
    converted = metadata.get("converted")
    if isinstance(converted, dict) and isinstance(converted.get("assumed"), dict):
        why = f"assumed when it was converted from {converted.get('from')}"
        found += [Assumption(str(what), str(value), why) for what, value in converted["assumed"].items()]
    return found


def _centred(metadata: Mapping[str, Any]) -> bool:
    return bool((metadata.get("model_from_pretrained_kwargs") or {}).get("center_writing_weights", False))


def _point(file: Path, key: str, name: object) -> HookPoint:
    try:
        return parse(str(name))
    except WeightsFormat as error:
        raise WeightsFormat(f"SAE: {file}: {key}: {error.message}") from error


def _mlp_input(metadata: Mapping[str, Any], point: HookPoint) -> HookPoint:
    """`point`, or what leaves the norm before the MLP, where SAELens calls that by the name of what enters it.

    Its reader of Gemma Scope 2 does so, and keeps transformers' own name beside it.
    """
    stated = metadata.get("hf_hook_name")
    if point.site != "mlp_in_raw" or not isinstance(stated, str):
        return point
    return HookPoint(point.layer, "mlp_in") if parse(stated) == HookPoint(point.layer, "mlp_in") else point


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
