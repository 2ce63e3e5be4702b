"""Gemma Scope: `layer_L/width_W/average_l0_N/params.npz`, w_enc, w_dec, b_enc, b_dec, threshold in float32.

Site and model are in the repository's name only: google/gemma-scope-{2b,9b,27b}-{pt,it}-{res,mlp,att,transcoders}.
JumpReLU; b_dec is not subtracted; inputs are not scaled (2408.05147; sae_lens `gemma_2`, `gemma_2_transcoder`).
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_shapes, renamed
from undersong.sae.formats.naming import number, whole

EXPECTS = "params.npz"
_REPOSITORY = re.compile(r"gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)")
_NAMES = ("w_enc", "w_dec", "b_enc", "b_dec", "threshold")


def matches(path: Path) -> bool:
    return _file(path).is_file()


def read_config(path: Path) -> SAEConfig:
    file = _file(path)
    repository = _REPOSITORY.findall(whole(file))
    if not repository:
        raise WeightsFormat(
            f"SAE: {file}: expected the repository's name in its path, such as gemma-scope-2b-pt-res: the file itself "
            "does not say what it reads; found none"
        )
    size, tuning, kind = repository[-1]
    embedding = "/embedding/" in whole(file)
    layer = 0 if embedding else number(file, r"layer_(\d+)", "layer_L")
    shapes = {name.lower(): shape for name, shape in read_shapes(file).items()}
    d_in, d_sae = matrix(file, shapes, "w_enc")
    reads = {
        "res": HookPoint(0, "embed") if embedding else HookPoint(layer),
        "mlp": HookPoint(layer, "mlp_out"),
        "att": HookPoint(layer, "attn_z"),
        "transcoders": HookPoint(layer, "mlp_in_normalized"),
    }[kind]
    across = kind == "transcoders"
    l0 = re.findall(r"average_l0_(\d+)", whole(file))
    return SAEConfig(
        architecture="jumprelu_transcoder" if across else "jumprelu",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=str(reads),
        hook_layer=layer,
        apply_b_dec_to_input=False,
        context_size=1024,
        model_name=f"google/gemma-2-{size}" + ("-it" if tuning == "it" else ""),
        d_out=matrix(file, shapes, "w_dec")[1] if across else None,
        hook_out=str(HookPoint(layer, "mlp_out")) if across else None,
        published_l0=float(l0[-1]) if l0 else None,
        assumptions=tuple(_assumed(reads, kind)),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file = _file(path)
    held = read_all(file)
    own = {name.lower(): name for name in held}
    weights = renamed(file, held, {_canonical(name): own.get(name, name) for name in _NAMES})
    if config.point.site == "embed":
        # They were trained on rows of the table; the model's embedding is sqrt(d) times that.
        root = config.d_in**0.5
        weights["W_enc"], weights["W_dec"] = weights["W_enc"] / root, weights["W_dec"] * root
        weights["b_dec"] = weights["b_dec"] * root
    return weights


def _assumed(reads: HookPoint, kind: str) -> list[Assumption]:
    found = [
        Assumption("site", str(reads), f"the path names a repository of {kind!r}; the file states nothing"),
        Assumption("b_dec", "not subtracted before encoding", "Gemma Scope's own rule (2408.05147)"),
        Assumption("normalisation", "none: their scale is folded in already", "Gemma Scope's own rule"),
        Assumption("BOS", "prepended, and left out of statistics", "trained with it"),
    ]
    if kind == "mlp":
        found.append(Assumption("MLP output", "after the norm that follows the MLP", "what Gemma-2 adds to the stream"))
    if kind == "att":
        found.append(Assumption("heads", "side by side, as o_proj reads them", "d_in is n_heads d_head"))
    if kind == "transcoders":
        found.append(Assumption("input", "the norm before the MLP, before its gain", "sae_lens: ln2.hook_normalized"))
    if reads.site == "embed":
        found.append(
            Assumption("embeddings", "times sqrt(d), as Gemma's stream has them", "sae_lens rescales likewise")
        )
    return found


def _canonical(name: str) -> str:
    return name.replace("w_", "W_")


def _file(path: Path) -> Path:
    return path / EXPECTS if path.is_dir() else path if path.name == EXPECTS else path / EXPECTS
