"""Gemma Scope 2 (Gemma-3): `{kind}[_all]/layer_L_width_W_l0_S[_affine]/params.safetensors` with a config.json.

Tensors w_enc, w_dec, b_enc, b_dec, threshold and, for transcoders with a linear path, affine_skip_connection
[d_in, d_out]. JumpReLU, no b_dec subtraction, no scaling. `attn_out` reads what enters attention's output projection,
`mlp_out` what follows the norm after the MLP, `transcoder` what leaves the norm before the MLP, gain included (hook
points of transformers in config.json; sae_lens `gemma_3`, which writes the last as hook_mlp_in, TransformerLens' name
for what enters that norm). Its crosscoders and CLTs: gemma_scope_2_clt.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_json, read_shapes, renamed
from undersong.sae.formats.naming import number, whole

EXPECTS = "params.safetensors"
_KINDS = re.compile(r"/(resid_post|mlp_out|attn_out|transcoder)(?:_all)?(?=/)")
_NAMES = {"W_enc": "w_enc", "W_dec": "w_dec", "b_enc": "b_enc", "b_dec": "b_dec", "threshold": "threshold"}
_CONFIG = "config.json"
_SKIP = "affine_skip_connection"
# The makers give ranges: their middles.
_L0 = {"small": 15.0, "medium": 45.0, "big": 120.0}


def matches(path: Path) -> bool:
    return _file(path).is_file()


def read_config(path: Path) -> SAEConfig:
    file = _file(path)
    beside = file.parent / _CONFIG
    stated = read_json(beside) if beside.is_file() else {}
    if stated.get("architecture", "jump_relu") != "jump_relu":
        raise WeightsFormat(f"SAE: {beside}: architecture: expected jump_relu, found {stated['architecture']!r}")
    reads, writes, why = _points(file, stated)
    shapes = read_shapes(file)
    d_in, d_sae = matrix(file, shapes, "w_enc")
    for key, expected in (
        ("type", "sae" if writes is None else "transcoder"),
        ("affine_connection", _SKIP in shapes),
    ):
        if stated.get(key, expected) != expected:
            raise WeightsFormat(f"SAE: {beside}: {key}: expected {expected}, found {stated[key]!r}")
    if file.parent.name.endswith("_affine") and _SKIP not in shapes:
        raise WeightsFormat(f"SAE: {file}: expected {_SKIP}, as its folder is named; found {', '.join(sorted(shapes))}")
    architecture = "jumprelu"
    if writes is not None:
        architecture = "jumprelu_skip_transcoder" if _SKIP in shapes else "jumprelu_transcoder"
    l0, ranged = published_l0(file, stated)
    return SAEConfig(
        architecture=architecture,
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(reads),
        hook_layer=reads.layer,
        apply_b_dec_to_input=False,
        context_size=1024,
        model_name=model_of(file, stated),
        d_out=matrix(file, shapes, "w_dec")[1] if writes else None,
        hook_out=str(writes) if writes else None,
        published_l0=l0,
        assumptions=(
            Assumption("site", f"{reads} to {writes}" if writes else str(reads), why),
            Assumption("b_dec", "not subtracted before encoding", "Gemma Scope's own rule"),
            Assumption("normalisation", "none", "Gemma Scope's own rule"),
            Assumption("BOS", "prepended, and left out of statistics", "trained with it"),
            *((Assumption("published L0", "the middle of a range", "the path says which"),) if ranged else ()),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file = _file(path)
    skips = "skip" in config.architecture
    names = {**_NAMES, **({"W_skip": _SKIP} if skips else {})}
    return renamed(file, read_all(file), names, flipped=frozenset({"W_skip"}))


def _points(file: Path, stated: Mapping[str, Any]) -> tuple[HookPoint, HookPoint | None, str]:
    """(where it reads, where it writes if that is another place, how that is known)

    config.json says so, or the path. WeightsFormat where neither does, or both and not the same.
    """
    by_path = _from_path(file)
    if not isinstance(stated.get("hf_hook_point_in"), str):
        if by_path is None:
            raise WeightsFormat(
                f"SAE: {file}: expected hf_hook_point_in in {_CONFIG}, or a folder resid_post, mlp_out, attn_out or "
                "transcoder (or with _all) above it; found neither"
            )
        return *by_path, f"there is no {_CONFIG}; the path names it"
    reads = parse(stated["hf_hook_point_in"])
    out = stated.get("hf_hook_point_out")
    written = parse(out) if isinstance(out, str) else reads
    writes = None if written == reads else written
    if by_path is not None and by_path != (reads, writes):
        found = f"{stated['hf_hook_point_in']!r} to {out!r}"
        expected = " to ".join(str(point) for point in by_path if point)
        raise WeightsFormat(f"SAE: {file.parent / _CONFIG}: hf_hook_point_in: expected {expected}, found {found}")
    return reads, writes, f"{_CONFIG} states it"


def _from_path(file: Path) -> tuple[HookPoint, HookPoint | None] | None:
    """(where it reads, where it writes if that is another place), as the path says."""
    kinds = _KINDS.findall(whole(file))
    if not kinds:
        return None
    layer = number(file, r"layer_(\d+)", "layer_L")
    return {
        "resid_post": (HookPoint(layer), None),
        "mlp_out": (HookPoint(layer, "mlp_out"), None),
        "attn_out": (HookPoint(layer, "attn_z"), None),
        "transcoder": (HookPoint(layer, "mlp_in"), HookPoint(layer, "mlp_out")),
    }[kinds[-1]]


def published_l0(file: Path, stated: Mapping[str, Any]) -> tuple[float | None, bool]:
    """(features on a token, whether that is the middle of a range): as config.json states, else as the path says."""
    l0 = stated.get("l0")
    if isinstance(l0, int | float) and l0 > 0:
        return float(l0), False
    said = re.findall(r"_l0_(small|medium|big)", whole(file))
    return (_L0[said[-1]], True) if said else (None, False)


def model_of(file: Path, stated: Mapping[str, Any]) -> str | None:
    """The model's name on the hub, as config.json or the repository's name says."""
    name = stated.get("model_name")
    if not isinstance(name, str):
        found = re.findall(r"gemma-scope-2-((?:270m|1b|4b|12b|27b)-(?:pt|it))", whole(file))
        name = f"gemma-3-{found[-1]}" if found else None
    if name is None:
        return None
    name = name.replace("-v3", "-3").removeprefix("google/")
    # The hub has this one without -pt.
    return "google/" + name.replace("270m-pt", "270m")


def _file(path: Path) -> Path:
    return path if path.name == EXPECTS and not path.is_dir() else path / EXPECTS
