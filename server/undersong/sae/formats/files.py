"""What formats share: JSON and safetensors read with the reason where they cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from undersong.errors import WeightsFormat, WeightsMissing


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. WeightsMissing or WeightsFormat."""
    if not path.is_file():
        raise WeightsMissing(f"SAE: expected {path.name} in {path.parent}, found none")
    try:
        stated = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is not valid JSON: {error}") from error
    if not isinstance(stated, dict):
        raise WeightsFormat(f"SAE: expected a JSON object in {path}, found {type(stated).__name__}")
    return stated


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]], optional: frozenset[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, their names and shapes checked before any is read.

    WeightsMissing; WeightsFormat if cut short, a tensor lacks, is unknown (neither in `expected` nor `optional`) or
    has another shape.
    """
    if not path.is_file():
        raise WeightsMissing(f"SAE: expected {path.name} in {path.parent}, found none")
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportGeneralTypeIssues]
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            _check_names(path, set(found), set(expected), optional)
            for name, shape in expected.items():
                if found[name] != shape:
                    raise WeightsFormat(f"SAE: {path}: {name}: expected shape {shape}, found {found[name]}")
            return {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error


def _check_names(path: Path, found: set[str], expected: set[str], optional: frozenset[str]) -> None:
    missing, unknown = sorted(expected - found), sorted(found - expected - optional)
    if missing or unknown:
        lacks = f"; missing {', '.join(missing)}" if missing else ""
        beyond = f"; unknown {', '.join(unknown)}" if unknown else ""
        raise WeightsFormat(
            f"SAE: {path}: expected tensors {', '.join(sorted(expected))}; found {', '.join(sorted(found))}"
            f"{lacks}{beyond}"
        )
