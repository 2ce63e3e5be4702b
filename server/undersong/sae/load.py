"""Opening an SAE: the format that fits a folder or file reads it, the architecture it names computes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undersong.errors import WeightsFormat, WeightsMissing
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.architectures.cross_layer_transcoder import CrossLayerTranscoder
from undersong.sae.base import SAE
from undersong.sae.config import SAEConfig
from undersong.sae.formats import CLT_FORMATS, FORMATS, CLTFormat, Format
from undersong.sae.formats.files import expect_floats, expect_shapes

# What thresholds are before training has estimated one: with it every positive pre-activation would be let through.
_UNSET = -1.0
# What an SAE may hold in a narrower dtype than it computes in.
_MATRICES = frozenset({"W_enc", "W_dec"})
_NARROW = frozenset({torch.bfloat16, torch.float16})


@dataclass(frozen=True, slots=True)
class Read:
    """What a file held: the name of its format, its configuration, its weights in canonical form, checked."""

    format: str
    config: SAEConfig
    weights: dict[str, Tensor]


def read_config(path: str | Path) -> SAEConfig:
    """What the folder or file says about its SAE, without reading its numbers. WeightsMissing or WeightsFormat."""
    place = Path(path).expanduser()
    return format_of(place).read_config(place)


def read(path: str | Path) -> Read:
    """What the folder or file holds. WeightsMissing, or WeightsFormat with what was expected and what was found."""
    place = Path(path).expanduser()
    reader = format_of(place)
    config = reader.read_config(place)
    weights = reader.read_weights(place, config)
    _check(place, config, weights)
    return Read(reader.name, config, weights)


def load_sae(
    path: str | Path,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    *,
    id: str | None = None,
) -> SAE:
    """The SAE in a folder or file. `id` names its features: by default its layer, "3", or "p3" for the passage grain;
    with the site where that is not resid_post, "3-mlp_out", and with both of a transcoder, "3-mlp_in-mlp_out".

    Raises WeightsMissing, or WeightsFormat with what was expected and what was found.
    """
    found = read(path)
    placed = {name: _placed(name, tensor, torch.device(device), dtype) for name, tensor in found.weights.items()}
    return ARCHITECTURES[found.config.architecture](id or _default_id(found.config), found.config, placed)


def _placed(name: str, tensor: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """On the device in the dtype; on the CPU, what float32 is asked of and less is stored of stays as it is stored.

    A file that holds it plainly is then mapped: of W_dec, pages are read and kept as their rows are needed.
    """
    kept = device.type == "cpu" and dtype == torch.float32 and name in _MATRICES and tensor.dtype in _NARROW
    return tensor if kept else tensor.to(device, dtype)


def _default_id(config: SAEConfig) -> str:
    layer, site = f"{'p' if config.grain == 'passage' else ''}{config.hook_layer}", config.point.site
    if config.hook_out is not None:
        return f"{layer}-{site}-{config.point_out.site}"
    return layer if site == "resid_post" else f"{layer}-{site}"


def load_clt(
    path: str | Path, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32, *, id: str | None = None
) -> CrossLayerTranscoder:
    """The cross-layer transcoder in a folder; its decoders stay there and are read row by row. Raises as `load_sae`."""
    folder = Path(path).expanduser()
    reader = clt_format_of(folder)
    if reader is None:
        known = "; ".join(f"{each.expects} ({each.name})" for each in CLT_FORMATS)
        raise WeightsMissing(f"SAE: expected {known} in {folder}, found {_contents(folder)}")
    config = reader.read_config(folder)
    weights = reader.read_weights(folder, config)
    for name, tensor in weights.items():
        _check_numbers(folder, name, tensor)
    placed = {name: tensor.to(device, dtype) for name, tensor in weights.items()}
    return CrossLayerTranscoder(id or "clt", config, placed, reader.decoders(folder))


def clt_format_of(path: Path) -> CLTFormat | None:
    """The format of a folder with a cross-layer transcoder; None where there is none."""
    return next((candidate for candidate in CLT_FORMATS if candidate.matches(path)), None)


def format_of(path: Path) -> Format:
    """The format of a folder or file. WeightsMissing where nothing known is there."""
    if not path.exists():
        kind = "file" if path.suffix else "folder"
        raise WeightsMissing(f"SAE: there is no {kind} {path}")
    for candidate in FORMATS:
        if candidate.matches(path):
            return candidate
    if (several := clt_format_of(path)) is not None:
        raise WeightsFormat(
            f"SAE: {path}: expected an SAE of one place; found a {several.name}, which reads and writes several"
        )
    if path.is_file():
        around = next((candidate for candidate in FORMATS if candidate.matches(path.parent)), None)
        if around is not None:
            raise WeightsMissing(f"SAE: {path}: expected {path.parent}, the folder ({around.name}); found a file of it")
    if below := _saes_below(path):
        raise WeightsMissing(f"SAE: {path}: it holds folders: {_listed(below)}; name one of them")
    known = "; ".join(f"{each.expects} ({each.name})" for each in (*FORMATS, *CLT_FORMATS))
    raise WeightsMissing(f"SAE: expected {known} in {path}, found {_contents(path)}")


def _saes_below(path: Path) -> list[str]:
    """Folders in a folder that look like SAEs; where there is none, those in them, three deep."""
    for pattern in ("*", "*/*", "*/*/*"):
        found = [
            str(each.relative_to(path))
            for each in sorted(path.glob(pattern))
            if each.is_dir() and any(candidate.matches(each) for candidate in (*FORMATS, *CLT_FORMATS))
        ]
        if found:
            return found
    return []


def _contents(path: Path) -> str:
    return _listed(sorted(each.name for each in path.iterdir()) if path.is_dir() else [path.name]) or "nothing"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")


def _check(path: Path, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
    if config.k is not None and config.k > config.d_sae:
        raise WeightsFormat(f"SAE: {path}: k: expected at most {config.d_sae}, as many as features; found {config.k}")
    shapes = ARCHITECTURES[config.architecture].shapes
    if set(weights) != set(shapes):
        raise WeightsFormat(
            f"SAE: {path}: expected tensors {', '.join(sorted(shapes))}; found {', '.join(sorted(weights))}"
        )
    expect_shapes(path, weights, {name: tuple(config.sizes[size] for size in shape) for name, shape in shapes.items()})
    for name, tensor in weights.items():
        _check_numbers(path, name, tensor)


def _check_numbers(path: Path, name: str, tensor: Tensor) -> None:
    expect_floats(path, name, tensor)
    if not torch.isfinite(tensor).all():
        raise WeightsFormat(f"SAE: {path}: {name}: expected finite numbers, found NaN or infinity")
    if name == "threshold" and bool((tensor == _UNSET).any()):
        raise WeightsFormat(f"SAE: {path}: threshold: expected one that was estimated, found {_UNSET}: none ever was")
