"""Reference statistics: what a feature does in ordinary paragraphs, so that a draft can be compared with them.

A paragraph of the reference is one that lies whole in a reference window and has at least MIN_TOKENS tokens. It is
read in the context of what stands before it in the window. Its presence is, for a token feature, the sum of
activations over (tokens + 8), where the 8 keeps a two-word paragraph from being extreme; for a passage feature, the
activation of (sum of its tokens' residuals + 8 b_dec) / (tokens + 8), b_dec being within 1 of the mean passage.
Without those 8, paragraphs of 8 to 15 tokens stand above a feature's 0.99 quantile 2.6 % of the time and those of
over 128 tokens 0.3 %; with them, 1.0 % and 0.8 %.

`position_bias`: the share of a feature's activation that falls on the beginning of a window, over the share that an
even one would have there; 1 is none. The beginning is, for a token feature, the first EARLY tokens after BOS; for a
passage feature, the first of the window's passages of 32 tokens that are read, the one after the passage with BOS.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import collect
import numpy as np
import torch
from codes import Codes, token_codes
from collect import load_segments, load_windows
from whole_files import written_whole

from undersong.engine.presence import LEVELS, PSEUDO_TOKENS
from undersong.sae.base import SAE
from undersong.sae.load import load_sae

MIN_TOKENS = 8
EARLY = 16


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Tokens `start:stop` of a window's 511 after BOS."""

    window: int
    start: int
    stop: int


def paragraphs(ids: np.ndarray, newline: int) -> list[Paragraph]:
    """ids [n, 512]. A window begins where a paragraph begins, so all but its last, cut one are whole."""
    found: list[Paragraph] = []
    for window, row in enumerate(ids[:, 1:]):
        start = 0
        for stop in np.flatnonzero(row == newline):
            if stop - start >= MIN_TOKENS:
                found.append(Paragraph(window, start, int(stop)))
            start = int(stop) + 1
    return found


def token_statistics(codes: Codes, found: list[Paragraph]) -> dict[str, torch.Tensor]:
    width, (n, length, _) = codes.width, codes.values.shape
    indices, values = _active(codes, slice(None), slice(None))
    maxima = np.zeros(width, np.float32)
    np.maximum.at(maxima, indices, values)
    total = np.bincount(indices, values, width)
    early = np.bincount(*_active(codes, slice(None), slice(EARLY)), width)
    active = np.bincount(indices, minlength=width)
    presence = np.zeros((len(found), width), np.float32)
    for row, p in enumerate(found):
        mass = np.bincount(*_active(codes, p.window, slice(p.start, p.stop)), width)
        presence[row] = mass / (p.stop - p.start + PSEUDO_TOKENS)
    return _tensors(
        frequency=active / (n * length),
        mean=total / np.maximum(active, 1),
        maximum=maxima,
        presence=presence,
        position_bias=np.where(total > 0, early / np.maximum(total, 1e-9) * length / EARLY, 1),
    )


def _active(codes: Codes, window: int | slice, tokens: slice) -> tuple[np.ndarray, np.ndarray]:
    """Features and activations of those tokens, in a row."""
    values, indices = codes.values[window, tokens], codes.indices[window, tokens]
    used = values > 0
    return indices[used], values[used].astype(np.float32)


def passage_statistics(
    sae: SAE, residual: np.ndarray, found: list[Paragraph], segments: torch.Tensor
) -> dict[str, torch.Tensor]:
    """residual [n, 511, d]; segments [windows, passages, d]."""
    presence = sae.encode(torch.cat([_pooled(sae, residual, p) for p in found])).numpy()
    codes = sae.encode(segments.flatten(0, 1))
    active, total = (codes > 0).sum(0), codes.sum(0)
    first = codes.view(*segments.shape[:2], -1)[:, 0].sum(0)
    return _tensors(
        frequency=(active / len(codes)).numpy(),
        mean=(total / active.clamp_min(1)).numpy(),
        maximum=np.maximum(presence.max(0), codes.max(0)[0].numpy()),
        presence=presence,
        position_bias=torch.where(total > 0, first / total.clamp_min(1e-9) * segments.shape[1], 1).numpy(),
    )


def _pooled(sae: SAE, residual: np.ndarray, p: Paragraph) -> torch.Tensor:
    """[1, d]"""
    own = residual[p.window, p.start : p.stop].astype(np.float32)
    return sae.pool(torch.from_numpy(own.sum(0)), len(own))


def _tensors(
    frequency: np.ndarray, mean: np.ndarray, maximum: np.ndarray, presence: np.ndarray, position_bias: np.ndarray
) -> dict[str, torch.Tensor]:
    quantiles = np.quantile(presence, LEVELS, axis=0).T
    arrays = {
        "frequency": frequency,
        "mean": mean,
        "max": maximum,
        "presence_quantiles": quantiles,
        "position_bias": position_bias,
    }
    return {name: torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for name, a in arrays.items()}


def _save(tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str]) -> None:
    """safetensors, float32. The library writes metadata in any order; here the same numbers are the same bytes."""
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    blobs: list[bytes] = []
    offset = 0
    for name, tensor in sorted(tensors.items()):
        blobs.append(tensor.numpy().astype("<f4").tobytes())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [offset, offset + len(blobs[-1])]}
        offset += len(blobs[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with written_whole(path) as part:
        part.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_reference(folder: Path, layer: int, work: Path, newline: int) -> None:
    """Beside the SAE in `folder`, which is of the passage grain if it says so."""
    windows = load_windows(work)
    found = paragraphs(windows.ids[: collect.N_REFERENCE], newline)
    residual = np.load(work / f"residual_{layer}.npy")
    sae = load_sae(folder)
    if sae.grain == "passage":
        tensors = passage_statistics(sae, residual, found, load_segments(work, layer))
    else:
        tensors = token_statistics(token_codes(folder, residual), found)
    metadata = {
        "levels": json.dumps(LEVELS),
        "paragraphs": str(len(found)),
        "tokens": str(residual.shape[0] * residual.shape[1]),
        "prior_tokens": str(PSEUDO_TOKENS),
    }
    _save(tensors, folder / "reference.safetensors", metadata)
    print(f"{folder.name}: reference of {len(found)} paragraphs", flush=True)
