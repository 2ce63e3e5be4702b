"""sparsify (EleutherAI): `cfg.json` and `sae.safetensors` in a folder named for the module, such as `layers.10`.

ReLU, then the k largest of each token (or the largest of each of k groups: `groupmax`). W_dec [num_latents, d_in] is
canonical already. b_dec is subtracted unless `transcode`, whatever normalize_decoder says (sparsify 1.3.3,
`sparse_coder.py`; SAELens 6.54 loads both wrongly). A transcoder reads what enters the module and rebuilds what leaves.

Before `transcode` was a key, transcoders are known by their skip connection, or by the run's config.json in the folder
above; b_dec was subtracted from what they read, and sparsify still does so. Here it is folded into b_enc.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import expect_shapes, read_all, read_json, renamed, size

EXPECTS = "cfg.json and sae.safetensors"
_CONFIG, _WEIGHTS, _RUN = "cfg.json", "sae.safetensors", "config.json"
_NAMES = {"W_enc": "encoder.weight", "b_enc": "encoder.bias", "W_dec": "W_dec", "b_dec": "b_dec"}
_KNOWN = frozenset({
    "activation", "expansion_factor", "normalize_decoder", "num_latents", "k", "multi_topk", "skip_connection",
    "transcode", "signed", "d_in",
})  # fmt: skip


def matches(path: Path) -> bool:
    return (path / _WEIGHTS).is_file()


def read_config(path: Path) -> SAEConfig:
    file = path / _CONFIG
    stated = read_json(file)
    if unknown := sorted(set(stated) - _KNOWN):
        raise WeightsFormat(
            f"SAE: {file}: keys: expected none beside {', '.join(sorted(_KNOWN))}; found {', '.join(unknown)}"
        )
    for key in ("transcode", "skip_connection", "signed"):
        if not isinstance(stated.get(key, False), bool):
            raise WeightsFormat(f"SAE: {file}: {key}: expected true or false, found {stated[key]!r}")
    d_in, k = size(file, stated, "d_in"), size(file, stated, "k")
    d_sae = size(file, stated, "num_latents") if stated.get("num_latents") else d_in * size(
        file, stated, "expansion_factor"
    )  # fmt: skip
    activation = stated.get("activation", "topk")
    if activation not in ("topk", "groupmax"):
        raise WeightsFormat(f"SAE: {file}: activation: expected topk or groupmax, found {activation!r}")
    if stated.get("signed", False):
        raise WeightsFormat(f"SAE: {file}: signed: expected false: activations below 0 are not supported; found true")
    if k > d_sae or (activation == "groupmax" and d_sae % k):
        kind = "a multiple of" if activation == "groupmax" else "at least"
        raise WeightsFormat(f"SAE: {file}: num_latents: expected {kind} k = {k}, found {d_sae}")
    above = path.parent / _RUN
    run = read_json(above) if above.is_file() else {}
    skips = stated.get("skip_connection", False)
    across = _across(file, stated, run)
    name = path.absolute().name
    reads, writes = _points(file, name, across)
    model, context = run.get("model"), run.get("ctx_len")
    kind = ("skip_transcoder" if skips else "transcoder") if across else ""
    return SAEConfig(
        architecture="_".join(part for part in (activation, kind) if part),
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(reads),
        hook_layer=reads.layer,
        apply_b_dec_to_input=not across,
        k=k,
        context_size=context if isinstance(context, int) else None,
        model_name=model if isinstance(model, str) else None,
        d_out=d_in if across else None,
        hook_out=str(writes) if writes else None,
        published_l0=float(k),
        assumptions=(
            Assumption("site", f"{reads} to {writes}" if writes else str(reads), f"the folder is named {name}"),
            Assumption("b_dec", *_b_dec(across, stated.get("transcode", False))),
            Assumption("normalisation", "none", "sparsify has none"),
            Assumption("BOS", "prepended", "sparsify packs texts with the tokenizer's special tokens"),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    names = {**_NAMES, **({"W_skip": "W_skip"} if "skip" in config.architecture else {})}
    weights = renamed(path / _WEIGHTS, read_all(path / _WEIGHTS), names, flipped=frozenset({"W_enc"}))
    if config.hook_out is not None and not read_json(path / _CONFIG).get("transcode", False):
        shapes = {"W_enc": (config.d_in, config.d_sae), "b_enc": (config.d_sae,), "b_dec": (config.d_in,)}
        expect_shapes(path / _WEIGHTS, weights, shapes)
        weights["b_enc"] = weights["b_enc"] - weights["b_dec"].to(weights["W_enc"].dtype) @ weights["W_enc"]
    return weights


def _across(file: Path, stated: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether it rebuilds what leaves the module of what enters it. WeightsFormat where two things are said of that."""
    skips = stated.get("skip_connection", False)
    if "transcode" not in stated:
        return skips or bool(run.get("transcode", False))
    if skips and not stated["transcode"]:
        raise WeightsFormat(f"SAE: {file}: skip_connection: expected it with transcode, found it with transcode false")
    return stated["transcode"]


def _b_dec(across: bool, stated: bool) -> tuple[str, str]:
    """(what is done with b_dec, why)"""
    if not across:
        return "subtracted before encoding", "sparsify's encode; transcode decides"
    if stated:
        return "not subtracted before encoding", "sparsify's encode; transcode decides"
    return "subtracted before encoding: folded into b_enc", f"a transcoder whose {_CONFIG} does not say transcode"


def _points(file: Path, name: str, across: bool) -> tuple[HookPoint, HookPoint | None]:
    """What it reads and, for a transcoder, what it rebuilds. Older folders are named `layers_10`."""
    module = name.replace("layers_", "layers.").replace("h_", "h.")
    try:
        if across:
            return parse(f"{module}.input"), parse(f"{module}.output")
        return parse(module), None
    except WeightsFormat as error:
        raise WeightsFormat(f"SAE: {file.parent}: expected a folder named for a module: {error.message}") from error
