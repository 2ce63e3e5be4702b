"""Folders that SAELens trains in: checkpoints, whose weights are those of training and whose scale may stand beside.

    cfg.json                          the training configuration: its own architectures, keys of losses and schedules
    sae_weights.safetensors           weights, with `topk_threshold` for BatchTopK and Matryoshka
    activation_scaler.json            {"scaling_factor": s or null}: the weights read s x
    activation_whitening.safetensors  mean, matrix, inverse_matrix, if they read whitened activations
    trainer_state.pt, runner_cfg.json, activations_store_state.safetensors, sparsity.safetensors: not opened

BatchTopK and Matryoshka become what SAELens exports them as: JumpReLU with the one threshold, decoder norms folded
where training rescaled by them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.folding import fold_decoder_norms, fold_scale, fold_whitening
from undersong.sae.formats import saelens
from undersong.sae.formats.files import read_json, read_tensors

EXPECTS = "cfg.json with activation_scaler.json, or runner_cfg.json"
_SCALER, _WHITENING = "activation_scaler.json", "activation_whitening.safetensors"
_MARKS = (_SCALER, "runner_cfg.json", "trainer_state.pt")
# In training -> as it is used afterwards.
_ARCHITECTURES = {
    "standard": "standard",
    "gated": "gated",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka_batchtopk": "jumprelu",
}
_BATCHED = ("batchtopk", "matryoshka_batchtopk")
_RESCALES = "rescale_acts_by_decoder_norm"
_KEPT = (
    "architecture", "d_in", "d_sae", "apply_b_dec_to_input", "reshape_activations", "k", _RESCALES, "metadata",
)  # fmt: skip


def matches(path: Path) -> bool:
    return saelens.matches(path) and any((path / mark).is_file() for mark in _MARKS)


def read_config(path: Path) -> SAEConfig:
    file = path / saelens.CONFIG
    trained = read_json(file)
    if not isinstance(trained.get("metadata"), dict):
        return saelens.config_from(file, saelens.current_form(file, trained))
    name = trained.get("architecture")
    if str(name) not in _ARCHITECTURES:
        raise WeightsFormat(f"SAE: {file}: architecture: expected one of {', '.join(_ARCHITECTURES)}, found {name!r}")
    kept = {key: trained[key] for key in _KEPT if key in trained}
    if not isinstance(trained.get(_RESCALES, False), bool):
        raise WeightsFormat(f"SAE: {file}: {_RESCALES}: expected true or false, found {trained[_RESCALES]!r}")
    norm = trained.get("normalize_activations", "none")
    if norm in ("layer_norm", "constant_norm_rescale"):
        kept["normalize_activations"] = norm
    else:
        _check_factor(path, norm)
        kept["normalize_activations"] = "none"
    if name != "topk":
        kept.pop("k", None)
    if name != "topk" or _whitened(path):
        # Folded by read_weights. Undoing the whitening would change the norms, and with them which features are on.
        kept.pop(_RESCALES, None)
    config = saelens.config_from(file, {**kept, "architecture": _ARCHITECTURES[str(name)]})
    if name not in ("topk", *_BATCHED) or _RESCALES in trained:
        return config
    why = f"{saelens.CONFIG} does not say: it is older than {_RESCALES}, which SAELens takes for true where it lacks"
    return replace(config, assumptions=(*config.assumptions, Assumption("decoder norms", "not multiplied in", why)))


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    trained = read_json(path / saelens.CONFIG)
    if not isinstance(trained.get("metadata"), dict):
        return saelens.read_weights(path, config)
    batched = trained["architecture"] in _BATCHED
    shapes = {
        name: tuple(config.sizes[size] for size in shape)
        for name, shape in ARCHITECTURES[config.architecture].shapes.items()
    }
    if batched:
        del shapes["threshold"]
        shapes["topk_threshold"] = ()
    weights = read_tensors(path / saelens.WEIGHTS, shapes, optional=frozenset())
    rescales = trained.get(_RESCALES, False) and (batched or _whitened(path))
    if rescales:
        weights = fold_decoder_norms(weights)
    threshold = weights.pop("topk_threshold", None)
    if batched and threshold is not None:
        # An average of positive numbers, which begins at 0.
        if float(threshold) <= 0:
            raise WeightsFormat(
                f"SAE: {path}: topk_threshold: expected a number above 0, found {float(threshold)}: none was estimated"
            )
        weights["threshold"] = weights["b_enc"].new_full((config.d_sae,), float(threshold))
    scale = _scaler(path).get("scaling_factor")
    if scale is not None:
        weights = fold_scale(weights, float(scale))
        # An activation in units of the decoder's row follows the row into the model's units, and its threshold too.
        weights = fold_decoder_norms(weights) if rescales else weights
    if _whitened(path):
        d = config.d_in
        held = read_tensors(
            path / _WHITENING, {"mean": (d,), "matrix": (d, d), "inverse_matrix": (d, d)}, optional=frozenset()
        )
        weights = fold_whitening(
            weights, held["mean"], held["matrix"], held["inverse_matrix"], config.apply_b_dec_to_input
        )
    return saelens.centred(weights, config)


def _whitened(path: Path) -> bool:
    return (path / _WHITENING).is_file() and _scaler(path).get("has_whitening", True)


def _scaler(path: Path) -> dict[str, Any]:
    return read_json(path / _SCALER) if (path / _SCALER).is_file() else {}


def _check_factor(path: Path, norm: object) -> None:
    """WeightsFormat unless what `norm` needs is in the folder."""
    file = path / saelens.CONFIG
    needs = {"none": None, "expected_average_only_in": _SCALER, "covariance_whitening": _WHITENING}
    if str(norm) not in needs:
        raise WeightsFormat(f"SAE: {file}: normalize_activations: expected one of {', '.join(needs)}, found {norm!r}")
    where = needs[str(norm)]
    if where is not None and not (path / where).is_file():
        raise WeightsFormat(f"SAE: {file}: normalize_activations: expected {where} beside it for {norm}, found none")
    factor = _scaler(path).get("scaling_factor")
    if where == _SCALER:
        valid = isinstance(factor, int | float) and not isinstance(factor, bool) and 0 < factor < float("inf")
    else:
        valid = factor is None
    if not valid:
        expected = "a number above 0" if where == _SCALER else "null"
        raise WeightsFormat(f"SAE: {path / _SCALER}: scaling_factor: expected {expected} for {norm}, found {factor!r}")
