"""Gemma Scope 2's cross-layer transcoders and crosscoders: `params_layer_{i}.safetensors`, one file a layer.

    clt/width_W_l0_S[_affine]/                  every block: what leaves the norm before the MLP, to what follows it
    crosscoder/layer_A_B_C_D_width_W_l0_S/      the stream after these blocks, to itself

Both are the same: features of layer i read layer i and write it and those above ("weakly causal" crosscoders). A file
has w_enc [d_in, d_sae], w_dec [d_sae, n_layers, d_out] (slice j writes layer j), b_enc, b_dec, threshold, and for
_affine affine_skip_connection [d_in, d_out], x times which is added. JumpReLU, b_dec not subtracted, nothing scaled.
config.json names the hook points, with the blocks in braces: model.layers.{all}.pre_feedforward_layernorm.output,
model.layers.{5,9,12,15}.output.

Source: circuit_tracer's load_gemma_scope_2_clt and the makers' JumpReLUMultiLayerSAE. As the former does, the slices
below a feature's own layer are left out: they hold nothing. Decoders stay in their files, as circuit_tracer_clt's do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import Site, parse
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig
from undersong.sae.config import Assumption
from undersong.sae.formats.files import Shapes, matrix, read_json, read_shapes, read_some
from undersong.sae.formats.gemma_scope_2 import model_of, published_l0
from undersong.sae.formats.naming import files_of, whole

EXPECTS = "params_layer_{i}.safetensors"
_FILE = r"params_layer_\d+\.safetensors"
_CONFIG = "config.json"
_NAMES = {"w_enc": "W_enc", "b_enc": "b_enc", "b_dec": "b_dec", "threshold": "threshold"}
_SKIP = "affine_skip_connection"
_BLOCKS = re.compile(r"layers\.\{(all|\d+(?:,\d+)*)\}")
# Where config.json lacks: the folder, and what it reads and writes.
_KINDS = {
    "clt": (
        "model.layers.{all}.pre_feedforward_layernorm.output",
        "model.layers.{all}.post_feedforward_layernorm.output",
    ),
    "crosscoder": ("model.layers.{blocks}.output", "model.layers.{blocks}.output"),
}


def matches(path: Path) -> bool:
    return bool(files_of(path, _FILE))


def read_config(path: Path) -> CLTConfig:
    """From config.json or the path, and the headers; no numbers are read. WeightsMissing, WeightsFormat."""
    file = path / _CONFIG
    stated = read_json(file) if file.is_file() else {}
    if stated.get("architecture", "jump_relu") != "jump_relu":
        raise WeightsFormat(f"SAE: {file}: architecture: expected jump_relu, found {stated['architecture']!r}")
    shapes = [read_shapes(path / f"params_layer_{layer}.safetensors") for layer in range(len(files_of(path, _FILE)))]
    d_in, d_sae = matrix(path / "params_layer_0.safetensors", shapes[0], "w_enc")
    (d_out,) = shapes[0].get("b_dec", (0,))
    for layer, found in enumerate(shapes):
        _check(path, layer, found, _expected(len(shapes), d_in, d_sae, d_out, _SKIP in shapes[0]))
    points, why = _points(path, stated)
    (reads, blocks), (writes, blocks_out) = (_site(path, name) for name in points)
    if blocks != blocks_out or (blocks is not None and len(blocks) != len(shapes)):
        raise WeightsFormat(
            f"SAE: {path}: expected as many blocks read and written as there are files, {len(shapes)}; found {points}"
        )
    l0, ranged = published_l0(path, stated)
    return CLTConfig(
        len(shapes), d_in, d_sae, d_out, reads, writes,
        model_name=model_of(path, stated),
        blocks=blocks,
        published_l0=l0,
        assumptions=(
            Assumption("input", points[0], why),
            Assumption("output", points[1], why),
            Assumption("b_dec", "not subtracted before encoding", "Gemma Scope's own rule"),
            Assumption("normalisation", "none", "Gemma Scope's own rule"),
            Assumption("decoders", "of a feature's own layer and those above", "circuit-tracer leaves the rest out"),
            Assumption("BOS", "prepended, and left out of statistics", "trained with it"),
            *((Assumption("published L0", "the middle of a range", "the path says which"),) if ranged else ()),
        ),
    )  # fmt: skip


def read_weights(path: Path, config: CLTConfig) -> dict[str, Tensor]:
    """W_enc [n_layers, d_in, d_sae], b_enc, b_dec, threshold, and W_skip where there is one."""
    files = [path / f"params_layer_{layer}.safetensors" for layer in range(config.n_layers)]
    names = {**_NAMES, **({_SKIP: "W_skip"} if _SKIP in read_shapes(files[0]) else {})}
    layers = [read_some(file, tuple(names)) for file in files]
    return {own: torch.stack([held[name] for held in layers]) for name, own in names.items()}


class FileDecoders:
    """Decoder rows read from the files when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, layer: int, indices: Tensor) -> Tensor:
        file = self._path / f"params_layer_{layer}.safetensors"
        with safe_open(file, framework="pt") as held:  # pyright: ignore[reportGeneralTypeIssues]
            return held.get_slice("w_dec")[indices.cpu()][:, layer:].contiguous()


def _expected(n_layers: int, d_in: int, d_sae: int, d_out: int, skips: bool) -> Shapes:
    return {
        "w_enc": (d_in, d_sae), "w_dec": (d_sae, n_layers, d_out), "b_enc": (d_sae,), "b_dec": (d_out,),
        "threshold": (d_sae,), **({_SKIP: (d_in, d_out)} if skips else {}),
    }  # fmt: skip


def _check(path: Path, layer: int, found: Shapes, expected: Shapes) -> None:
    if found != expected:
        raise WeightsFormat(f"SAE: {path}: layer {layer}: expected {expected}, found {found}")


def _points(path: Path, stated: dict[str, Any]) -> tuple[tuple[str, str], str]:
    """(where it reads and writes, with the blocks in braces; how that is known)"""
    reads, writes = stated.get("hf_hook_point_in"), stated.get("hf_hook_point_out")
    if isinstance(reads, str) and isinstance(writes, str):
        return (reads, writes), f"{_CONFIG} states it"
    kinds = re.findall(r"/(clt|crosscoder)(?=/)", whole(path))
    if not kinds:
        raise WeightsFormat(
            f"SAE: {path}: expected hf_hook_point_in and hf_hook_point_out in {_CONFIG}, or a folder clt or "
            "crosscoder above; found neither"
        )
    blocks = re.findall(r"/layer((?:_\d+)+)_width", whole(path))
    if kinds[-1] == "crosscoder" and not blocks:
        raise WeightsFormat(f"SAE: {path}: expected the blocks in its path, such as layer_7_13_17_22; found none")
    listed = "{" + blocks[-1].strip("_").replace("_", ",") + "}" if blocks else ""
    reads, writes = (name.replace("{blocks}", listed) for name in _KINDS[kinds[-1]])
    return (reads, writes), f"there is no {_CONFIG}; a folder is named {kinds[-1]}"


def _site(path: Path, name: str) -> tuple[Site, tuple[int, ...] | None]:
    """(the site, the blocks or None for all) of a hook point with blocks in braces."""
    found = _BLOCKS.search(name)
    if not found:
        raise WeightsFormat(f"SAE: {path}: expected a hook point with its blocks in braces, found {name!r}")
    blocks = None if found[1] == "all" else tuple(int(n) for n in found[1].split(","))
    return parse(name.replace(f"{{{found[1]}}}", "0")).site, blocks
