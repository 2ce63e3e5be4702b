"""Control vectors of llama.cpp, repeng and EasySteer: GGUF, architecture `controlvector`, tensors `direction.N`.

N counts blocks from 0: direction.N is added to what leaves block N (repeng's `directions[N]` to its layer list's N-th,
found in hidden_states[N + 1]; llama.cpp's `build_cvec(cur, N)` at the end of that layer). llama.cpp has no place for
N = 0 and refuses it, so here block 0 is neither read nor written.

Such a vector says what to add and not what to read. `as_sae` makes an SAE of one feature of it, which reads how many
times the vector the stream holds already: the projection on it, in units of it, where that is above 0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undersong.errors import BadInput, WeightsFormat
from undersong.hook_points import HookPoint
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.gguf import GGUF, write

NAME = "control vectors (GGUF)"
EXPECTS = "a .gguf of architecture controlvector"
_ARCHITECTURE = "controlvector"


@dataclass(frozen=True, slots=True)
class ControlVectors:
    """`directions`: block -> [d_model] in float32, added to what leaves it. `model_hint`: what they were made for."""

    directions: Mapping[int, Tensor]
    model_hint: str | None = None


def matches(path: Path) -> bool:
    return path.suffix == ".gguf" and path.is_file()


def read_control_vectors(path: Path) -> ControlVectors:
    """WeightsMissing; WeightsFormat with what was expected and found."""
    held = GGUF(path)
    architecture = held.values.get("general.architecture")
    if architecture != _ARCHITECTURE:
        raise WeightsFormat(
            f"control vectors: {path}: general.architecture: expected {_ARCHITECTURE}, found {architecture!r}"
        )
    directions: dict[int, Tensor] = {}
    for entry in held.entries:
        found = re.fullmatch(r"direction\.(\d+)", entry.name)
        if not found or int(found[1]) == 0 or len(entry.sizes) != 1:
            raise WeightsFormat(
                f"control vectors: {path}: expected tensors direction.N, N from 1, of one dimension; "
                f"found {entry.name} {list(entry.sizes)}"
            )
        directions[int(found[1])] = held.tensor(entry)
    sizes = {len(direction) for direction in directions.values()}
    if len(sizes) != 1 or not all(torch.isfinite(direction).all() for direction in directions.values()):
        raise WeightsFormat(
            f"control vectors: {path}: expected finite directions of one length, found lengths {sorted(sizes)}"
        )
    hint = held.values.get(f"{_ARCHITECTURE}.model_hint")
    return ControlVectors(dict(sorted(directions.items())), hint if isinstance(hint, str) and hint else None)


def write_control_vectors(path: Path, vectors: ControlVectors) -> Path:
    """A file that llama.cpp (`--control-vector`) and repeng (`import_gguf`) read. WeightsFormat for block 0."""
    if not vectors.directions or 0 in vectors.directions:
        raise WeightsFormat(
            "control vectors: expected directions for blocks from 1 on: llama.cpp cannot steer what leaves block 0; "
            f"found {sorted(vectors.directions)}"
        )
    values = {
        "general.architecture": _ARCHITECTURE,
        f"{_ARCHITECTURE}.model_hint": vectors.model_hint or "",
        f"{_ARCHITECTURE}.layer_count": len(vectors.directions),
    }
    return write(path, values, {f"direction.{block}": each for block, each in sorted(vectors.directions.items())})


def is_vector(config: SAEConfig) -> bool:
    """Whether it is `as_sae` that an SAE came from, as `undersong sae convert` keeps it in metadata.converted."""
    converted = (config.extras or {}).get("converted")
    return isinstance(converted, Mapping) and converted.get("from") == NAME


def as_sae(vectors: ControlVectors, block: int | None) -> tuple[SAEConfig, dict[str, Tensor]]:
    """An SAE of one feature, the direction of `block` (None: of the only one there is).

    BadInput where there is no such block, or several and none was named; WeightsFormat where it has no length.
    """
    known = ", ".join(map(str, vectors.directions))
    if block is None and len(vectors.directions) > 1:
        raise BadInput(f"control vectors: expected --block, one of {known}: an SAE reads one place")
    block = next(iter(vectors.directions)) if block is None else block
    if block not in vectors.directions:
        raise BadInput(f"control vectors: --block: expected one of {known}, found {block}")
    direction = vectors.directions[block]
    square = direction.square().sum()
    if not square > 0:
        raise WeightsFormat(f"control vectors: direction.{block}: expected a vector that has a length, found zeros")
    config = SAEConfig(
        architecture="standard",
        d_in=len(direction),
        d_sae=1,
        hook_name=str(HookPoint(block)),
        hook_layer=block,
        apply_b_dec_to_input=False,
        model_name=vectors.model_hint,
        assumptions=(
            Assumption("site", str(HookPoint(block)), f"direction.{block} is added to what leaves block {block}"),
            Assumption("encoder", "the projection on the vector, in units of it", "a control vector reads nothing"),
            Assumption("units", "1 of the feature adds the vector once", "as llama.cpp does at scale 1"),
        ),
    )
    weights = {
        "W_enc": (direction / square)[:, None], "b_enc": torch.zeros(1),
        "W_dec": direction[None], "b_dec": torch.zeros(len(direction)),
    }  # fmt: skip
    return config, weights
