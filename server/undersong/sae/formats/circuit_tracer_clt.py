"""circuit-tracer's cross-layer transcoders (mntss and others): two files a layer and a `config.yaml`.

    W_enc_{i}.safetensors   W_enc_{i} [d_sae, d_in], b_enc_{i}, b_dec_{i}; some: threshold_{i}, W_skip_{i} [d_in, d_out]
    W_dec_{i}.safetensors   W_dec_{i} [d_sae, n_layers - i, d_out]: slice j writes layer i + j

Decoders stay in their files: `rows` reads those of the features asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import Site, parse
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig
from undersong.sae.config import Assumption
from undersong.sae.formats.files import read_all, read_shapes, read_yaml
from undersong.sae.formats.naming import files_of

EXPECTS = "W_enc_{i}.safetensors and W_dec_{i}.safetensors"
_ENCODER = r"W_enc_\d+\.safetensors"


def matches(path: Path) -> bool:
    return bool(files_of(path, _ENCODER))


def read_config(path: Path) -> CLTConfig:
    """From the YAML and the headers; no numbers are read. WeightsMissing, WeightsFormat."""
    yaml = path / "config.yaml"
    stated = read_yaml(yaml) if yaml.is_file() else {}
    kind = stated.get("model_kind", "cross_layer_transcoder")
    if kind != "cross_layer_transcoder":
        raise WeightsFormat(f"SAE: {yaml}: model_kind: expected cross_layer_transcoder, found {kind!r}")
    n_layers = len(files_of(path, _ENCODER))
    shapes = [_shapes(path, layer) for layer in range(n_layers)]
    (d_sae, d_in), (d_out,) = shapes[0]["W_enc"], shapes[0]["b_dec"]
    optional = {name: ((d_sae,) if name == "threshold" else (d_in, d_out)) for name in ("threshold", "W_skip")}
    for layer, found in enumerate(shapes):
        expected = {
            "W_enc": (d_sae, d_in), "b_enc": (d_sae,), "b_dec": (d_out,), "W_dec": (d_sae, n_layers - layer, d_out),
            **{name: shape for name, shape in optional.items() if name in shapes[0]},
        }  # fmt: skip
        if found != expected:
            raise WeightsFormat(f"SAE: {path}: layer {layer}: expected {expected}, found {found}")
    reads, why_in = _site(yaml, stated, "feature_input_hook", "hook_resid_mid")
    writes, why_out = _site(yaml, stated, "feature_output_hook", "hook_mlp_out")
    model = stated.get("model_name")
    return CLTConfig(
        n_layers, d_in, d_sae, d_out, reads, writes,
        model_name=model if isinstance(model, str) else None,
        assumptions=(
            Assumption("input", reads, why_in),
            Assumption("output", writes, why_out),
            Assumption("b_dec", "not subtracted: it lies in what is rebuilt", "circuit-tracer's encode"),
            Assumption("W_skip", "x W_skip, as it lies", "circuit-tracer's compute_skip for CLTs, unlike others'"),
            Assumption("norms", "not folded into the weights after them", "circuit-tracer loads models so"),
        ),
    )  # fmt: skip


def read_weights(path: Path, config: CLTConfig) -> dict[str, Tensor]:
    """W_enc [n_layers, d_in, d_sae], b_enc, b_dec, and threshold and W_skip where there are some."""
    layers = [_plain(read_all(path / f"W_enc_{layer}.safetensors"), layer) for layer in range(config.n_layers)]
    stacked = {name: torch.stack([held[name] for held in layers]) for name in layers[0]}
    if "threshold" in stacked and bool((stacked["threshold"] < 0).any()):
        raise WeightsFormat(
            f"SAE: {path}: threshold: expected 0 or more: below that circuit-tracer lets negative activations through; "
            f"found {float(stacked['threshold'].min())}"
        )
    return {**stacked, "W_enc": stacked["W_enc"].transpose(1, 2).contiguous()}


class FileDecoders:
    """Decoder rows read from the files when they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, layer: int, indices: Tensor) -> Tensor:
        file = self._path / f"W_dec_{layer}.safetensors"
        with safe_open(file, framework="pt") as held:  # pyright: ignore[reportGeneralTypeIssues]
            return held.get_slice(f"W_dec_{layer}")[indices.cpu()]


def _shapes(path: Path, layer: int) -> dict[str, tuple[int, ...]]:
    encoder, decoder = path / f"W_enc_{layer}.safetensors", path / f"W_dec_{layer}.safetensors"
    found = _plain({**read_shapes(encoder), **read_shapes(decoder)}, layer)
    missing = {"W_enc", "b_enc", "b_dec", "W_dec"} - set(found)
    if missing or len(found["W_enc"]) != 2 or len(found["b_dec"]) != 1:
        raise WeightsFormat(
            f"SAE: {encoder}: expected W_enc_{layer}, b_enc_{layer}, b_dec_{layer} and, beside it, W_dec_{layer}; "
            f"found {', '.join(found)}"
        )
    return found


def _plain(held: dict[str, Any], layer: int) -> dict[str, Any]:
    return {name.removesuffix(f"_{layer}"): value for name, value in held.items()}


def _site(file: Path, stated: dict[str, Any], key: str, default: str) -> tuple[Site, str]:
    name = stated.get(key)
    if name is not None and not isinstance(name, str):
        raise WeightsFormat(f"SAE: {file}: {key}: expected a name, found {name!r}")
    why = f"{file.name} states it" if name else f"{file.name} does not say; circuit-tracer takes {default}"
    return parse(f"blocks.0.{name or default}").site, why
