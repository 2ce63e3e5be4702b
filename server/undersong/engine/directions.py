"""Steering directions: what to add to the residual stream for a feature, where that is not its decoder's row.

`steering.safetensors` beside an SAE's weights holds one tensor, `directions` [d_sae, d_out], its rows of unit norm; a
row of zeros is a feature that cannot be raised. A decoder's row says what a feature looks like in the stream, which is
not always what brings it about: the features of a passage dictionary are directions of means over many tokens.
Reading knows nothing of this file, nor does the ablation of a token feature, which takes away what is read.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.sae.base import SAE
from undersong.sae.formats.files import read_tensors

STEERING = "steering.safetensors"
UNIT_TOLERANCE = 1e-2
"""How far from 1 a row's norm may be: the file may be in bfloat16."""


def load_directions(path: Path, sae: SAE) -> Tensor:
    """[d_sae, d_out] as `sae` is stored. Raises WeightsMissing, WeightsFormat with what was expected and found."""
    found = read_tensors(path, {"directions": (sae.d_sae, sae.d_out)}, optional=frozenset())["directions"]
    if not found.is_floating_point():
        raise WeightsFormat(f"{path}: directions: expected floating-point numbers, found {found.dtype}")
    if not torch.isfinite(found.float()).all():
        raise WeightsFormat(f"{path}: directions: expected finite numbers, found NaN or infinity")
    norms = found.float().norm(dim=1)
    wrong = ((norms != 0) & ((norms - 1).abs() > UNIT_TOLERANCE)).nonzero()[:, 0]
    if len(wrong):
        row = int(wrong[0])
        raise WeightsFormat(
            f"{path}: directions: expected rows of norm 1 (within {UNIT_TOLERANCE}) or 0, "
            f"found {float(norms[row]):.4g} in row {row}"
        )
    return found.to(sae.device, sae.dtype)
