"""dictionary_learning (saprmarks): `ae.pt` and `config.json` {"trainer": {...}, "buffer": {...}}.

The trainer's `dict_class` says what the tensors mean; encoding follows that class's own `encode`:

    AutoEncoder             `bias` is b_dec, subtracted
    AutoEncoderNew          `decoder.bias`, not subtracted
    GatedAutoEncoder        `decoder_bias`, subtracted; gate_bias, mag_bias, r_mag
    AutoEncoderTopK         b_dec subtracted; top k of each token; its `threshold` is unused by encode
    BatchTopKSAE            b_dec subtracted; one threshold; -1 means that none was ever estimated
    MatryoshkaBatchTopKSAE  the same, canonical names, and group_sizes
    JumpReluAutoEncoder     canonical names, b_dec not subtracted

Activations are those of the file: the library's own from_pretrained may rescale AutoEncoder's decoder to unit rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import read_all, read_json, renamed, size

EXPECTS = "ae.pt and config.json"
_WEIGHTS, _CONFIG = "ae.pt", "config.json"


@dataclass(frozen=True, slots=True)
class _Class:
    """`subtracts`: whether b_dec is subtracted before encoding. `names`: canonical name -> the file's."""

    architecture: str
    subtracts: bool
    names: Mapping[str, str]
    unused: frozenset[str] = frozenset()


_LINEAR = {"W_enc": "encoder.weight", "W_dec": "decoder.weight"}
_CANONICAL = {name: name for name in ("W_enc", "W_dec", "b_enc", "b_dec")}
_GATED = {"b_gate": "gate_bias", "b_mag": "mag_bias", "r_mag": "r_mag"}
_CLASSES: dict[str, _Class] = {
    "AutoEncoder": _Class("standard", True, {**_LINEAR, "b_enc": "encoder.bias", "b_dec": "bias"}),
    "AutoEncoderNew": _Class("standard", False, {**_LINEAR, "b_enc": "encoder.bias", "b_dec": "decoder.bias"}),
    "GatedAutoEncoder": _Class("gated", True, {**_LINEAR, **_GATED, "b_dec": "decoder_bias"}),
    "AutoEncoderTopK": _Class(
        "topk", True, {**_LINEAR, "b_enc": "encoder.bias", "b_dec": "b_dec"}, frozenset({"k", "threshold"})
    ),
    "BatchTopKSAE": _Class(
        "jumprelu",
        True,
        {**_LINEAR, "b_enc": "encoder.bias", "b_dec": "b_dec", "threshold": "threshold"},
        frozenset({"k"}),
    ),
    "MatryoshkaBatchTopKSAE": _Class(
        "jumprelu", True, {**_CANONICAL, "threshold": "threshold"}, frozenset({"k", "group_sizes"})
    ),
    "JumpReluAutoEncoder": _Class("jumprelu", False, {**_CANONICAL, "threshold": "threshold"}),
}
# Their parameters lie as nn.Linear has them, the others' as we do.
_FLIPPED = frozenset({"encoder.weight", "decoder.weight"})


def matches(path: Path) -> bool:
    return (path / _WEIGHTS).is_file()


def read_config(path: Path) -> SAEConfig:
    file = path / _CONFIG
    stated = read_json(file)
    trainer, buffer = stated.get("trainer"), stated.get("buffer")
    if not isinstance(trainer, dict):
        raise WeightsFormat(f"SAE: {file}: trainer: expected an object, found {type(trainer).__name__}")
    kind = _class(file, trainer)
    by_rank = kind.architecture == "topk"
    point, why = _point(file, trainer)
    context = buffer.get("ctx_len") if isinstance(buffer, dict) else None
    return SAEConfig(
        architecture=kind.architecture,
        d_in=size(file, trainer, "activation_dim", "trainer."),
        d_sae=size(file, trainer, "dict_size", "trainer."),
        hook_name=str(point),
        hook_layer=point.layer,
        apply_b_dec_to_input=kind.subtracts,
        k=size(file, trainer, "k", "trainer.") if by_rank else None,
        context_size=context if isinstance(context, int) else None,
        model_name=trainer.get("lm_name"),
        published_l0=float(trainer["k"]) if isinstance(trainer.get("k"), int) else None,
        assumptions=(
            Assumption("site", str(point), why),
            Assumption(
                "b_dec",
                "subtracted before encoding" if kind.subtracts else "not subtracted before encoding",
                f"the rule of {trainer['dict_class']}",
            ),
            Assumption(
                "units", "activations of the decoder as it lies", "the library's from_pretrained may rescale its rows"
            ),
            Assumption("normalisation", "none: folded in when training ended", "the library rescales biases on saving"),
            Assumption("BOS", "prepended", "the library's buffers do so by default"),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    file = path / _WEIGHTS
    trainer: dict[str, Any] = read_json(path / _CONFIG)["trainer"]
    kind, held = _class(path / _CONFIG, trainer), read_all(file)
    flipped = frozenset(name for name, own in kind.names.items() if own in _FLIPPED)
    weights = renamed(file, held, kind.names, flipped=flipped, unused=kind.unused)
    if "k" in held and isinstance(trainer.get("k"), int) and held["k"].tolist() != trainer["k"]:
        raise WeightsFormat(f"SAE: {file}: k: expected {trainer['k']} as {_CONFIG} says, found {held['k'].tolist()}")
    threshold = weights.get("threshold")
    if threshold is not None and threshold.ndim == 0:
        if float(threshold) < 0:
            raise WeightsFormat(
                f"SAE: {file}: threshold: expected 0 or more, found {float(threshold)}: training ended before it was "
                "estimated, and encoding would let every positive pre-activation through"
            )
        weights["threshold"] = threshold.expand(weights["b_enc"].shape).clone()
    return weights


def _class(file: Path, trainer: Mapping[str, Any]) -> _Class:
    name = trainer.get("dict_class")
    if str(name) not in _CLASSES:
        raise WeightsFormat(f"SAE: {file}: trainer.dict_class: expected one of {', '.join(_CLASSES)}, found {name!r}")
    return _CLASSES[str(name)]


def _point(file: Path, trainer: Mapping[str, Any]) -> tuple[HookPoint, str]:
    layer, name = trainer.get("layer"), trainer.get("submodule_name")
    if layer is None:
        raise WeightsFormat(
            f"SAE: {file}: trainer.layer: expected the block that it reads, counted from 0; it is not stated: "
            'add "layer": N to "trainer"'
        )
    if not isinstance(layer, int) or isinstance(layer, bool):
        raise WeightsFormat(f"SAE: {file}: trainer.layer: expected a whole number, found {layer!r}")
    if not isinstance(name, str):
        return HookPoint(layer), "submodule_name is not stated: what leaves the block"
    if name in (f"resid_post_layer_{layer}", "resid_post"):
        return HookPoint(layer), f"submodule_name is {name}"
    point = parse(name)
    if point.layer != layer:
        raise WeightsFormat(f"SAE: {file}: trainer.layer: expected {point.layer} for {name}, found {layer}")
    return point, f"submodule_name is {name}"
