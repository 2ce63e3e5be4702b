"""Opening an SAE: the format that fits a folder reads it, the architecture it names computes with it."""

from __future__ import annotations

from pathlib import Path

import torch

from undersong.errors import WeightsFormat, WeightsMissing
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.formats import FORMATS, Format


def read_config(path: str | Path) -> SAEConfig:
    """What the folder says about its SAE, without reading a tensor. WeightsMissing or WeightsFormat."""
    folder = Path(path).expanduser()
    return _format(folder).read_config(folder)


def load_sae(
    path: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    id: str | None = None,
) -> SAE:
    """The SAE in a folder. `id` names its features: by default its layer, "3", or "p3" for the passage grain.

    Raises WeightsMissing, or WeightsFormat with what was expected and what was found.
    """
    folder = Path(path).expanduser()
    reader = _format(folder)
    config = reader.read_config(folder)
    weights = reader.read_weights(folder, config)
    for name, tensor in weights.items():
        if not tensor.is_floating_point():
            raise WeightsFormat(f"SAE: {folder}: {name}: expected floating-point numbers, found {tensor.dtype}")
        if not torch.isfinite(tensor).all():
            raise WeightsFormat(f"SAE: {folder}: {name}: expected finite numbers, found NaN or infinity")
    prefix = "p" if config.grain == "passage" else ""
    placed = {name: tensor.to(device, dtype) for name, tensor in weights.items()}
    return ARCHITECTURES[config.architecture](id or f"{prefix}{config.hook_layer}", config, placed)


def _format(folder: Path) -> Format:
    if not folder.is_dir():
        raise WeightsMissing(f"SAE: there is no folder {folder}")
    for candidate in FORMATS:
        if candidate.matches(folder):
            return candidate
    known = "; ".join(f"{each.expects} ({each.name})" for each in FORMATS)
    raise WeightsMissing(f"SAE: expected {known} in {folder}, found neither")
