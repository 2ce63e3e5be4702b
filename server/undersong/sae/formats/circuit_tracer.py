"""circuit-tracer's transcoders (mwhanna and others): `layer_i.safetensors` beside a `config.yaml`.

W_enc [d_sae, d_in], W_dec [d_sae, d_out], b_enc, b_dec, for some activation_function.threshold [d_sae] (JumpReLU, else
ReLU) and W_skip [d_out, d_in]. The YAML names the model and the hook points inside a block, for the set as a whole:
feature_input_hook (mlp.hook_in, or ln2.hook_normalized) and feature_output_hook. The model is as transformers has it:
norms not folded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import matrix, read_all, read_shapes, read_yaml, renamed
from undersong.sae.formats.naming import files_of, number, one_of

EXPECTS = "layer_{i}.safetensors and config.yaml"
_FILE = r"layer_\d+\.safetensors"
_THRESHOLD = "activation_function.threshold"


def matches(path: Path) -> bool:
    return bool(re.fullmatch(_FILE, path.name) if path.is_file() else files_of(path, _FILE))


def read_config(path: Path) -> SAEConfig:
    file = one_of(path, _FILE, "one layer's file")
    layer = number(file, r"layer_(\d+)\.safetensors", _FILE)
    yaml = file.parent / "config.yaml"
    stated = read_yaml(yaml) if yaml.is_file() else {}
    kind = stated.get("model_kind", "transcoder_set")
    if kind != "transcoder_set":
        raise WeightsFormat(f"SAE: {yaml}: model_kind: expected transcoder_set, found {kind!r}")
    reads, why_in = _hook(yaml, stated, "feature_input_hook", "mlp.hook_in")
    writes, why_out = _hook(yaml, stated, "feature_output_hook", "hook_mlp_out")
    shapes = read_shapes(file)
    d_sae, d_in = matrix(file, shapes, "W_enc")
    jumps, skips = _THRESHOLD in shapes, "W_skip" in shapes
    point = parse(f"blocks.{layer}.{reads}")
    parse(f"blocks.{layer}.{writes}")
    model = stated.get("model_name")
    return SAEConfig(
        architecture=("jumprelu_" if jumps else "") + ("skip_" if skips else "") + "transcoder",
        d_in=d_in,
        d_sae=d_sae,
        hook_name=f"blocks.{layer}.{reads}",
        hook_layer=point.layer,
        apply_b_dec_to_input=False,
        model_name=model if isinstance(model, str) else None,
        d_out=matrix(file, shapes, "W_dec")[1],
        hook_out=f"blocks.{layer}.{writes}",
        assumptions=(
            Assumption("input", reads, why_in),
            Assumption("output", writes, why_out),
            Assumption(
                "activation", "JumpReLU" if jumps else "ReLU", f"{_THRESHOLD} is {'there' if jumps else 'not there'}"
            ),
            Assumption("b_dec", "not subtracted: it lies in what is rebuilt", "circuit-tracer's encode"),
            Assumption("norms", "not folded into the weights after them", "circuit-tracer loads models so"),
            Assumption("BOS", "prepended, and its features set to 0", "circuit-tracer leaves out position 0"),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file = one_of(path, _FILE, "one layer's file")
    names = {name: name for name in ("W_enc", "W_dec", "b_enc", "b_dec")}
    if "jumprelu" in config.architecture:
        names["threshold"] = _THRESHOLD
    if "skip" in config.architecture:
        names["W_skip"] = "W_skip"
    weights = renamed(file, read_all(file), names, flipped=frozenset({"W_enc"}))
    threshold = weights.get("threshold")
    if threshold is not None:
        weights["threshold"] = threshold.reshape(-1)
        if bool((threshold < 0).any()):
            raise WeightsFormat(
                f"SAE: {file}: {_THRESHOLD}: expected 0 or more: below that circuit-tracer lets negative activations "
                f"through; found {float(threshold.min())}"
            )
    return weights


def _hook(file: Path, stated: dict[str, Any], key: str, default: str) -> tuple[str, str]:
    """What follows `blocks.N.`, and how that is known."""
    name = stated.get(key)
    if name is None:
        return default, f"{file.name} does not say; the usual one"
    if not isinstance(name, str):
        raise WeightsFormat(f"SAE: {file}: {key}: expected a name, found {name!r}")
    return name, f"{file.name} states it"
