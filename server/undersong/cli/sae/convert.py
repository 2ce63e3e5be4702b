"""`undersong sae convert`: any format that can be read, written as SAELens v6; one feature, as a control vector.

A control vector is read too: it becomes an SAE of one feature.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

from undersong.errors import BadInput, WeightsFormat

DTYPES = ("float32", "bfloat16", "float16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, help="a folder, or the file of one SAE among several; or control vectors")
    parser.add_argument("out", type=Path, help="a folder that is not there yet; or NAME.gguf, with --feature")
    parser.add_argument("--dtype", choices=DTYPES, help="how numbers are stored (default: as they were)")
    parser.add_argument("--feature", type=int, help="write this feature's direction as a control vector for llama.cpp")
    parser.add_argument("--strength", type=float, default=1.0, help="how much of it (in activation; default: 1)")
    parser.add_argument("--block", type=int, help="of a file of several control vectors, the one that is meant")


def run(arguments: argparse.Namespace) -> int:
    path, out = arguments.path.expanduser(), arguments.out.expanduser()
    if out.exists():
        raise BadInput(f"{out}: expected a place where nothing is yet; it is there already")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"{out}: expected a folder to put it in; there is no {out.absolute().parent}")
    if (out.suffix == ".gguf") != (arguments.feature is not None):
        raise BadInput("expected NAME.gguf with --feature, or a folder without; found one and not the other")
    if arguments.feature is None:
        print(saelens(path, out, arguments.dtype, arguments.block))
    elif arguments.dtype is not None:
        raise BadInput("--dtype: expected it without --feature: control vectors are float32")
    else:
        print(control_vector(path, out, arguments.feature, arguments.strength))
    return 0


def saelens(path: Path, out: Path, dtype: str | None = None, block: int | None = None) -> str:
    """Write the SAE, or the control vector of `block`, at `path` into the folder `out`; a sentence about it.

    WeightsMissing, WeightsFormat, BadInput.
    """
    import torch

    from undersong.sae.formats import control_vectors
    from undersong.sae.formats.saelens import NAMES, THEIRS
    from undersong.sae.load import Read, read
    from undersong.sae.writing import write_saelens

    if control_vectors.matches(path):
        found = control_vectors.as_sae(control_vectors.read_control_vectors(path), block)
        held = Read(control_vectors.NAME, *found)
    elif block is not None:
        raise BadInput(f"--block: expected control vectors (.gguf) beside it, found {path}")
    else:
        held = read(path)
    config = held.config
    if config.architecture not in NAMES:
        raise WeightsFormat(
            f"SAE: {path}: expected an architecture that SAELens' files can hold ({', '.join(NAMES)}), "
            f"found {config.architecture}"
        )
    extras = dict(config.extras or {})
    # What was folded into the weights must not be folded again.
    changed = {key: value for key, value in (extras.pop("model_from_pretrained_kwargs", None) or {}).items()
               if key != "center_writing_weights"}  # fmt: skip
    if changed:
        extras["model_from_pretrained_kwargs"] = changed
    if held.format != "SAELens":
        extras["converted"] = {
            "from": held.format,
            "assumed": {each.what: each.value for each in config.assumptions},
        }
    weights = held.weights
    if dtype is not None:
        weights = {name: tensor.to(getattr(torch, dtype)) for name, tensor in weights.items()}
        if not all(tensor.isfinite().all() for tensor in weights.values()):
            raise BadInput(f"--dtype: expected one that holds every number of {path}, found {dtype}")
    # Beside it first: a run that is stopped leaves no folder that looks whole, or stands in the way of the next.
    os.replace(write_saelens(out.with_name(f"{out.name}.part"), replace(config, extras=extras), weights), out)
    own = "" if config.architecture in THEIRS else "; SAELens itself has no such architecture"
    return f"{held.format} → SAELens v6 in {out}: {config.architecture}, {config.d_in} → {config.d_sae}{own}"


def control_vector(path: Path, out: Path, feature: int, strength: float) -> str:
    """Write one feature's direction, times `strength`, into `out`; a sentence about it."""
    from undersong.sae.formats.control_vectors import ControlVectors, write_control_vectors
    from undersong.sae.load import load_sae

    sae = load_sae(path)
    if sae.config.point_out.site != "resid_post" or sae.config.normalization != "none":
        raise WeightsFormat(
            f"SAE: {path}: expected one that adds to what leaves a block, by the same amount on each token; found "
            f"{sae.config.point_out}, normalisation {sae.config.normalization}"
        )
    if not 0 <= feature < sae.d_sae:
        raise BadInput(f"--feature: expected 0 to {sae.d_sae - 1}, found {feature}")
    block = sae.config.point_out.layer
    direction = strength * sae.directions([feature])[0]
    write_control_vectors(out, ControlVectors({block: direction}, sae.config.model_name))
    return f"feature {feature}, times {strength:g}, added to what leaves block {block}: {out}"
