"""What formats share: files of each kind read whole or by their headers, with the reason where they cannot be.

Nothing here runs what a file holds: pickles are opened by torch's weights-only reader, arrays without objects.
"""

from __future__ import annotations

import json
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from undersong.errors import WeightsFormat, WeightsMissing

Shapes = dict[str, tuple[int, ...]]
_PICKLES = (".pt", ".pth", ".bin")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. WeightsMissing or WeightsFormat."""
    _expect_file(path)
    try:
        stated = json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is not valid JSON: {error}") from error
    if not isinstance(stated, dict):
        raise WeightsFormat(f"SAE: expected a JSON object in {path}, found {type(stated).__name__}")
    return stated


def read_yaml(path: Path) -> dict[str, Any]:
    """The YAML mapping in `path`, of plain values. WeightsMissing or WeightsFormat."""
    import yaml

    _expect_file(path)
    try:
        stated = yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, ValueError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is not valid YAML: {error}") from error
    if not isinstance(stated, dict):
        raise WeightsFormat(f"SAE: expected a YAML mapping in {path}, found {type(stated).__name__}")
    return stated


def read_tensors(path: Path, expected: Mapping[str, tuple[int, ...]], optional: frozenset[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, their names and shapes checked before any is read.

    WeightsMissing; WeightsFormat if cut short, a tensor lacks, is unknown (neither in `expected` nor `optional`) or
    has another shape.
    """
    _expect_file(path)
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportGeneralTypeIssues]
            found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            _check_names(path, set(found), set(expected), optional)
            for name, shape in expected.items():
                if found[name] != shape:
                    raise WeightsFormat(f"SAE: {path}: {name}: expected shape {shape}, found {found[name]}")
            held = {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error
    for name in expected:
        expect_floats(path, name, held[name])
    return held


def read_some(path: Path, names: tuple[str, ...]) -> dict[str, Tensor]:
    """The tensors `names` of a safetensors file, the others left where they are. Raises as `read_tensors`."""
    _expect_file(path)
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportGeneralTypeIssues]
            _check_names(path, set(file.keys()) & set(names), set(names), frozenset())
            return {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error


def read_shapes(path: Path) -> Shapes:
    """Name -> shape of the tensors in a .safetensors, .npz or .pt file, from its headers. Raises as `read_json`."""
    _expect_file(path)
    if path.suffix == ".npz":
        return _npz_shapes(path)
    if path.suffix in _PICKLES:
        return {name: tuple(t.shape) for name, t in unpickle(path, "meta").items() if isinstance(t, Tensor)}
    try:
        with safe_open(path, framework="pt") as file:  # pyright: ignore[reportGeneralTypeIssues]
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error


def read_all(path: Path, plain: frozenset[str] = frozenset()) -> dict[str, Tensor]:
    """Every tensor in a .safetensors, .npz or .pt file. WeightsMissing, WeightsFormat.

    A pickle may hold other things too: those named in `plain` are left out, any else is refused.
    """
    _expect_file(path)
    if path.suffix == ".npz":
        return _npz_tensors(path)
    if path.suffix not in _PICKLES:
        return read_tensors(path, read_shapes(path), frozenset())
    held = {name: value for name, value in unpickle(path, "cpu").items() if name not in plain}
    for name, value in held.items():
        if not isinstance(value, Tensor):
            raise WeightsFormat(f"SAE: {path}: expected tensors; found unknown {name}, {type(value).__name__}")
    return held


def unpickle(path: Path, device: str) -> dict[str, Any]:
    """The dictionary that torch saved in `path`; nothing but tensors and plain values is let in.

    On device "meta" tensors have their shapes and no numbers, and none are read.
    """
    _expect_file(path)
    try:
        held = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        # The rest of what torch says is advice to run the pickle.
        found = re.search(r"GLOBAL (\S+)", str(error))
        raise WeightsFormat(
            f"SAE: {path}: expected tensors and plain values only (pickles are not run), "
            f"found {found[1] if found else 'what torch cannot read'}"
        ) from error
    except Exception as error:  # of what is no pickle its reader raises whatever it stumbles over
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error!r} ({path.stat().st_size} bytes)") from error
    if not isinstance(held, dict):
        raise WeightsFormat(f"SAE: {path}: expected a dictionary of tensors, found {type(held).__name__}")
    # Parameters come as such, and would ask for gradients.
    return {str(name): value.detach() if isinstance(value, Tensor) else value for name, value in held.items()}


def size(file: Path, stated: Mapping[str, Any], key: str, inside: str = "") -> int:
    """The whole number above 0 that `file` states as `key` (of the object `inside` it); else WeightsFormat."""
    value = stated.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise WeightsFormat(f"SAE: {file}: {inside}{key}: expected a whole number above 0, found {value!r}")
    return value


def matrix(file: Path, shapes: Mapping[str, tuple[int, ...]], name: str) -> tuple[int, int]:
    """(rows, columns) of the matrix `name`; WeightsFormat where `file` has no such."""
    found = shapes.get(name)
    if found is None or len(found) != 2:
        held = ", ".join(f"{each} {list(shape)}" for each, shape in sorted(shapes.items()))
        raise WeightsFormat(f"SAE: {file}: expected a matrix {name}; found {held}")
    return found[0], found[1]


def expect_shapes(path: Path, held: Mapping[str, Tensor], expected: Mapping[str, tuple[int, ...]]) -> None:
    """WeightsFormat unless the tensors named in `expected` have those shapes; before anything is computed with them."""
    for name, shape in expected.items():
        if tuple(held[name].shape) != shape:
            raise WeightsFormat(f"SAE: {path}: {name}: expected shape {shape}, found {tuple(held[name].shape)}")


def expect_floats(path: Path, name: str, tensor: Tensor) -> None:
    """WeightsFormat unless `tensor` has a float dtype."""
    if not tensor.is_floating_point():
        raise WeightsFormat(f"SAE: {path}: {name}: expected floating-point numbers, found {tensor.dtype}")


def renamed(
    path: Path,
    held: Mapping[str, Tensor],
    names: Mapping[str, str],
    *,
    flipped: frozenset[str] = frozenset(),
    unused: frozenset[str] = frozenset(),
) -> dict[str, Tensor]:
    """`held` under canonical names: `names` gives for each the file's own; those in `flipped` are transposed.

    WeightsFormat where one lacks or holds no floats, or where the file holds another that is not in `unused`.
    """
    _check_names(path, set(held), set(names.values()), unused)
    for own in names.values():
        expect_floats(path, own, held[own])
    # Of a view that is contiguous already (one row, or a slice of a pickle's storage) `contiguous` would be that view.
    return {
        name: (held[own].T if name in flipped else held[own]).clone(memory_format=torch.contiguous_format)
        for name, own in names.items()
    }


def _npz_shapes(path: Path) -> Shapes:
    from numpy.lib import format as npy

    shapes: Shapes = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    version = npy.read_magic(file)
                    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
                    shapes[name.removesuffix(".npy")] = tuple(read(file)[0])
    except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error
    return shapes


def _npz_tensors(path: Path) -> dict[str, Tensor]:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            return {name: torch.from_numpy(held[name]) for name in held.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, TypeError) as error:
        raise WeightsFormat(f"SAE: {path} is damaged or cut short: {error} ({path.stat().st_size} bytes)") from error


def _expect_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsMissing(f"SAE: expected {path.name} in {path.parent}, found none")


def _check_names(path: Path, found: set[str], expected: set[str], optional: frozenset[str]) -> None:
    missing, unknown = sorted(expected - found), sorted(found - expected - optional)
    if missing or unknown:
        lacks = f"; missing {', '.join(missing)}" if missing else ""
        beyond = f"; unknown {', '.join(unknown)}" if unknown else ""
        raise WeightsFormat(
            f"SAE: {path}: expected tensors {', '.join(sorted(expected))}; found {', '.join(sorted(found))}"
            f"{lacks}{beyond}"
        )
