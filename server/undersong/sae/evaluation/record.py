"""What evaluating one SAE gave, and the same as plain data for JSON."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from undersong.sae.base import SAEConfig
from undersong.sae.evaluation.absorption import Absorption
from undersong.sae.evaluation.measure import DENSE, Measured
from undersong.sae.evaluation.probing import Probe
from undersong.sae.evaluation.sensitivity import Sensitivity

VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """`absorption` None: not asked for. `notes`: what could not be measured, and why."""

    name: str
    config: SAEConfig
    model: str
    context: int
    measured: Measured
    probes: tuple[Probe, ...] = ()
    absorption: Absorption | None = None
    sensitivities: tuple[Sensitivity, ...] = ()
    notes: tuple[str, ...] = ()


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """Numbers, strings, lists and dicts only; what cannot be told is null. Figures are {value, error}."""
    measured, config = evaluation.measured, evaluation.config
    return _plain(
        {
            "version": VERSION,
            "name": evaluation.name,
            "model": evaluation.model,
            "sae": {
                "architecture": config.architecture,
                "d_in": config.d_in,
                "d_out": config.d_out or config.d_in,
                "d_sae": config.d_sae,
                "hook_name": config.hook_name,
                "hook_out": config.hook_out,
                "grain": config.grain,
                "prepend_bos": config.prepend_bos,
                "published_l0": config.published_l0,
            },
            "tokens": measured.tokens,
            "context": evaluation.context,
            "fidelity": measured.fidelity,
            "behaviour": measured.behaviour,
            "dead": measured.dead,
            "dense": {f"above_{share:g}": found for share, found in zip(DENSE, measured.dense, strict=True)},
            "probes": evaluation.probes,
            "absorption": None
            if evaluation.absorption is None
            else {
                "measured": evaluation.absorption.measured,
                "probe_f1": evaluation.absorption.probe_f1,
                "letters_tried": evaluation.absorption.tried,
                **_absorption(evaluation.absorption),
                "letters": evaluation.absorption.letters,
            },
            "sensitivity": evaluation.sensitivities,
            "notes": evaluation.notes,
        }
    )


def feature_tensors(evaluation: Evaluation) -> dict[str, Tensor]:
    """What is known feature by feature, each [d_sae]: for a safetensors file."""
    features = evaluation.measured.features
    return {field.name: getattr(features, field.name).contiguous() for field in dataclasses.fields(features)}


def _absorption(found: Absorption) -> dict[str, float | None]:
    means = {"mean_absorption_fraction": found.fraction, "full_absorption": found.full, "mean_splits": found.splits}
    return {name: value if found.measured else None for name, value in means.items()}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
