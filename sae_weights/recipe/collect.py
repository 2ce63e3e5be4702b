"""Reads the corpus with the model once and keeps what the later steps need.

windows.npz   ids [n, 512] uint16, book [n]; the first N_REFERENCE windows are the reference, the last N_CHECK are
              for checking only: neither trained on nor named from
segments.npy  [n, 15, d_model] float16: plain means of the layer-3 residual over 32 tokens, positions 32 to 511
acts_L.npz    values [m, 511, k] float16, indices [m, 511, k] uint16 of the token SAE at layer L on the reference
pooled.npz    residual sums needed for paragraphs: layer-3 residuals [m, 511, d_model] float16 of the reference
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from corpus import WINDOW, Windows
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

LAYER = 3
TOKEN_LAYERS = (2, 3, 4)
SEGMENT = 32
TOP_K = 32
N_REFERENCE = 900
N_CHECK = 700
BATCH = 8


class Reader:
    """The model's lower blocks; `residuals(ids, top)` gives the output of blocks 0..top that are tapped."""

    def __init__(self, weights: Path) -> None:
        self.body = AutoModelForCausalLM.from_pretrained(weights / "model", dtype=torch.float32).eval().model
        self.blocks = list(self.body.layers)
        self.seen: dict[int, torch.Tensor] = {}
        for number, block in enumerate(self.blocks):
            block.register_forward_hook(self._tap(number))

    def _tap(self, number: int):
        def keep(_module, _inputs, output) -> None:
            self.seen[number] = output[0] if isinstance(output, tuple) else output

        return keep

    def residuals(self, ids: np.ndarray, top: int) -> dict[int, torch.Tensor]:
        """Layer -> [batch, window, d_model]."""
        self.seen = {}
        self.body.layers = torch.nn.ModuleList(self.blocks[: top + 1])
        self.body(torch.from_numpy(ids.astype(np.int64)), use_cache=False)
        return self.seen


def token_sae(weights: Path, layer: int) -> dict[str, torch.Tensor]:
    tensors = load_file(weights / f"saes/blocks.{layer}.hook_resid_post/sae_weights.safetensors")
    return {name: tensor.float() for name, tensor in tensors.items()}


def encode_topk(sae: dict[str, torch.Tensor], residual: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Values and indices [..., k] of the active features, apply_b_dec_to_input true."""
    values, indices = ((residual - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"]).topk(k, dim=-1)
    return values.relu(), indices


def collect(weights: Path, windows: Windows, work: Path) -> None:
    reader = Reader(weights)
    count, width = len(windows.ids), reader.body.config.hidden_size
    segments = np.zeros((count, WINDOW // SEGMENT - 1, width), dtype=np.float16)
    saes = {layer: token_sae(weights, layer) for layer in TOKEN_LAYERS}
    values = {n: np.zeros((N_REFERENCE, WINDOW - 1, TOP_K), np.float16) for n in TOKEN_LAYERS}
    indices = {n: np.zeros((N_REFERENCE, WINDOW - 1, TOP_K), np.uint16) for n in TOKEN_LAYERS}
    residual = np.zeros((N_REFERENCE, WINDOW - 1, width), np.float16)
    began = time.time()
    for start in range(0, count, BATCH):
        stop = min(start + BATCH, N_REFERENCE) if start < N_REFERENCE else min(start + BATCH, count)
        reference = start < N_REFERENCE
        read = reader.residuals(windows.ids[start:stop], max(TOKEN_LAYERS) if reference else LAYER)
        tapped = read[LAYER]
        means = tapped.view(stop - start, WINDOW // SEGMENT, SEGMENT, width)[:, 1:].mean(2)
        segments[start:stop] = means.numpy().astype(np.float16)
        if reference:
            residual[start:stop] = tapped[:, 1:].numpy().astype(np.float16)
            for layer, sae in saes.items():
                found, which = encode_topk(sae, read[layer][:, 1:], TOP_K)
                values[layer][start:stop], indices[layer][start:stop] = found.numpy(), which.numpy()
        if start // BATCH % 100 == 0:
            print(f"{stop} of {count} windows, {time.time() - began:.0f} s", flush=True)
    np.savez(work / "pooled.npz", residual=residual)
    for layer in TOKEN_LAYERS:
        np.savez(work / f"acts_{layer}.npz", values=values[layer], indices=indices[layer])
    np.savez(work / "windows.npz", ids=windows.ids, book=windows.book)
    np.save(work / "segments.npy", segments)
