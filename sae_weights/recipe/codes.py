"""What a token SAE reads in the reference windows, kept sparse."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from undersong.sae.load import load_sae

SLOTS = 256
"""BatchTopK lets a token have many more than its mean: of 32, up to 236 in the reference."""
BATCH = 16


@dataclass(frozen=True, slots=True)
class Codes:
    """`values` [n, 511, SLOTS] float16, all activations of each token, largest first, `indices` uint16; unused slots
    are 0."""

    values: np.ndarray
    indices: np.ndarray
    width: int


def token_codes(folder: Path, residual: np.ndarray) -> Codes:
    """residual [n, 511, d_model], of the SAE's layer. Raises ValueError if a token has more than SLOTS activations."""
    sae = load_sae(folder)
    slots = min(SLOTS, sae.d_sae)
    shape = (*residual.shape[:2], slots)
    values, indices = np.zeros(shape, np.float16), np.zeros(shape, np.uint16)
    for start in range(0, len(residual), BATCH):
        acts = sae.encode(torch.from_numpy(residual[start : start + BATCH]).float()).float()
        most = int((acts > 0).sum(-1).max())
        if most > slots:
            raise ValueError(f"{folder}: expected at most {slots} active features at a token, found {most}")
        found = acts.topk(slots, dim=-1)
        values[start : start + BATCH], indices[start : start + BATCH] = found.values.numpy(), found.indices.numpy()
    return Codes(values, indices, sae.d_sae)
