"""Qwen-Scope: one pickle a layer, `layer{n}.sae.pt`, in a repository Qwen/SAE-Res-{model}-W{N}K-L0_{k}.

W_enc [d_sae, d_in], W_dec [d_in, d_sae], b_enc, b_dec. TopK; b_dec is not subtracted, nothing scaled; what leaves block
n (sae_lens `qwen_scope`). Model and k stand in config.json beside the layers, and in the repository's name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_json, read_shapes, renamed, size
from undersong.sae.formats.naming import files_of, number, one_of, whole

EXPECTS = "layer{n}.sae.pt"
_FILE = r"layer\d+\.sae\.pt"
_CONFIG = "config.json"
_REPOSITORY = re.compile(r"SAE-Res-(.+?)-W(\d+)K-L0_(\d+)")


@dataclass(frozen=True, slots=True)
class _Stated:
    """What is said of all layers alike, and where."""

    model: str
    k: int
    d_sae: int
    where: str


def matches(path: Path) -> bool:
    return bool(re.fullmatch(_FILE, path.name) if path.is_file() else files_of(path, _FILE))


def read_config(path: Path) -> SAEConfig:
    file = one_of(path, _FILE, "one layer's file")
    beside = file.parent / _CONFIG
    stated = _from_json(beside) if beside.is_file() else _from_name(file)
    layer = number(file, r"layer(\d+)\.sae\.pt", _FILE)
    d_sae, d_in = matrix(file, read_shapes(file), "W_enc")
    if d_sae != stated.d_sae:
        raise WeightsFormat(f"SAE: {file}: W_enc: expected {stated.d_sae} rows, as {stated.where} says; found {d_sae}")
    why = "as SAELens loads them; nothing there says otherwise"
    return SAEConfig(
        architecture="topk",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(HookPoint(layer)),
        hook_layer=layer,
        apply_b_dec_to_input=False,
        k=stated.k,
        model_name=stated.model,
        context_size=1024,
        published_l0=float(stated.k),
        assumptions=(
            Assumption("model", stated.model, stated.where),
            Assumption("k", str(stated.k), stated.where),
            Assumption("site", str(HookPoint(layer)), f"{stated.where}, and the file's name"),
            Assumption("b_dec", "not subtracted before encoding", why),
            Assumption("normalisation", "none", why),
            Assumption("BOS", "prepended where the tokenizer has one", why),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file = one_of(path, _FILE, "one layer's file")
    names = {name: name for name in ("W_enc", "W_dec", "b_enc", "b_dec")}
    return renamed(file, read_all(file), names, flipped=frozenset({"W_enc", "W_dec"}))


def _from_json(file: Path) -> _Stated:
    stated = read_json(file)
    for key, expected in (("model_type", "topk_sae"), ("hook_point", "resid_post")):
        if stated.get(key) != expected:
            raise WeightsFormat(f"SAE: {file}: {key}: expected {expected}, found {stated.get(key)!r}")
    model = stated.get("base_model")
    if not isinstance(model, str):
        raise WeightsFormat(f"SAE: {file}: base_model: expected a model's name, found {model!r}")
    return _Stated(model, size(file, stated, "k"), size(file, stated, "d_sae"), _CONFIG)


def _from_name(file: Path) -> _Stated:
    repository = _REPOSITORY.findall(whole(file))
    if not repository:
        raise WeightsFormat(
            f"SAE: {file}: expected {_CONFIG} beside it, or the repository's name in its path, such as "
            "SAE-Res-Qwen3-1.7B-Base-W32K-L0_50: how many features a token has is stated there only; found neither"
        )
    model, thousands, k = repository[-1]
    return _Stated(f"Qwen/{model}", int(k), int(thousands) * 1024, f"W{thousands}K-L0_{k} in its path")
