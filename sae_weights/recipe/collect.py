"""Reads a part of the training text with the model once and keeps what the later steps need.

windows.npz      ids [n, 512] uint16, each beginning with BOS, a line break and a paragraph, and book [n]; none overlap
segments_L.npy   [n, 15, d_model] float16: mean of resid_post at layer L over 32 tokens, positions 32 to 511
residual_L.npy   [N_REFERENCE, 511, d_model] float16: resid_post at layer L of the reference

The first N_REFERENCE windows are the reference, the last N_CHECK are for checking the passage dictionary: it is
trained and described, and so named, on the others, and its names are judged on these. Names of token features are made
from the first describe.N_EVIDENCE windows and judged on the rest of the reference. Nothing more is held out here: the
language model, the token SAEs and the steering directions may have been trained on the text of any window, which lies
in books of the training tiers, and the passage dictionary's frequencies are over all of them. What nothing was trained
on are the held-out books (figures.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from language_model import LanguageModel
from packing import Stream, rows
from whole_files import written_whole

WINDOW, SEGMENT = 512, 32
SEGMENTS = WINDOW // SEGMENT - 1
N_WINDOWS, N_REFERENCE, N_CHECK = 16_000, 1600, 1600
BATCH = 16
SEED = 17


@dataclass(frozen=True, slots=True)
class Windows:
    """`ids` [n, WINDOW]; `book` [n], an index into the books."""

    ids: np.ndarray
    book: np.ndarray


def cut_windows(stream: Stream, count: int, seed: int) -> Windows:
    """About `count` windows spread over the books by the square root of their length, shuffled, none overlapping.

    The square root keeps a few long novels from being most of what is seen.
    """
    generator = np.random.default_rng(seed)
    sizes = np.sqrt(np.diff(stream.books).astype(float))
    shares = np.maximum(1, np.round(sizes / sizes.sum() * count)).astype(int)
    starts: list[int] = []
    owners: list[int] = []
    for book, share in enumerate(shares):
        begin, end = int(stream.books[book]), int(stream.books[book + 1])
        breaks = stream.paragraphs - 1
        own = breaks[(breaks >= begin) & (breaks <= end - WINDOW)]
        last = begin - WINDOW
        stretch = (end - begin) / share
        for number in range(share):
            earliest = max(last + WINDOW, begin + int((number + 0.5 * generator.random()) * stretch))
            at = int(np.searchsorted(own, earliest))
            if at < len(own):
                last = int(own[at])
                starts.append(last)
                owners.append(book)
    order = generator.permutation(len(starts))
    chosen = np.array(starts)[order]
    return Windows(rows(stream, chosen, WINDOW).astype(np.uint16), np.array(owners, dtype=np.int32)[order])


def load_windows(work: Path) -> Windows:
    with np.load(work / "windows.npz") as arrays:
        return Windows(arrays["ids"], arrays["book"])


def load_segments(work: Path, layer: int) -> torch.Tensor:
    """[n, SEGMENTS, d_model] float32"""
    return torch.from_numpy(np.load(work / f"segments_{layer}.npy")).float()


@torch.no_grad()
def collect(model: LanguageModel, stream: Stream, layers: list[int], work: Path, device: torch.device) -> None:
    """For those of `layers` that have not been read; further ones are read in the same windows."""
    layers = [layer for layer in layers if not (work / f"residual_{layer}.npy").exists()]
    if not layers:
        return
    windows = _windows(stream, work)
    count, width = len(windows.ids), model.shape.d_model
    segments = {n: np.zeros((count, SEGMENTS, width), np.float16) for n in layers}
    residual = {n: np.zeros((N_REFERENCE, WINDOW - 1, width), np.float16) for n in layers}
    began = time.time()
    for start in range(0, count, BATCH):
        ids = torch.from_numpy(windows.ids[start : start + BATCH].astype(np.int64)).to(device)
        found = model.residuals(ids)
        for layer in layers:
            x = found[layer]
            means = x.view(len(x), WINDOW // SEGMENT, SEGMENT, width)[:, 1:].mean(2)
            segments[layer][start : start + BATCH] = means.cpu().numpy()
            if start < N_REFERENCE:
                own = residual[layer][start : start + BATCH]
                own[:] = x[: len(own), 1:].cpu().numpy()
        if start // BATCH % 100 == 0:
            print(f"{start} of {count} windows, {time.time() - began:.0f} s", flush=True)
    for layer in layers:
        np.save(work / f"segments_{layer}.npy", segments[layer])
        with written_whole(work / f"residual_{layer}.npy") as part, part.open("wb") as opened:
            np.save(opened, residual[layer])


def _windows(stream: Stream, work: Path) -> Windows:
    file = work / "windows.npz"
    if not file.exists():
        windows = cut_windows(stream, N_WINDOWS, SEED)
        with written_whole(file) as part, part.open("wb") as opened:
            np.savez(opened, ids=windows.ids, book=windows.book)
    return load_windows(work)
