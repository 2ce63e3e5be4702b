"""What to add to the residual stream so that the text that follows carries a passage feature.

A decoder's row is what best rebuilds a residual, not what best brings about a text. So directions of their own are
trained end to end, in the spirit of Braun et al. 2024 ("Identifying functionally important features with end-to-end
sparse dictionary learning"), with the language model and the encoder held fixed:

    code of a passage of 32 tokens  ->  delta = code D  ->  h + delta at each of its tokens, after block `layer`
    loss = cross-entropy of the passage's own tokens

A direction learns what, added, makes the tokens of passages with its feature likelier. Each active feature is left
out half of the time, so that a direction does not lean on its neighbours.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from collect import SEGMENT, WINDOW
from language_model import ChunkedCrossEntropy, LanguageModel
from packing import Stream, row_starts, rows
from safetensors.torch import save_file
from torch import Tensor
from whole_files import written_whole

from undersong.sae.base import SAE

BATCH_ROWS = 16
FIRST_SHARE = 0.1  # |D row| at the start, of the mean residual norm; then its sign and size are learnt
RATE = 0.01
KEPT = 0.5
AVERAGE = 0.98
SEED = 23


def train_directions(model: LanguageModel, sae: SAE, stream: Stream, tokens: int, device: torch.device) -> Tensor:
    """[d_sae, d_model], rows of unit norm. `sae`: of passages, on `device`."""
    layer = sae.hook_layer
    order = np.random.default_rng(SEED).permutation(row_starts(stream, WINDOW + 1))
    generator = torch.Generator(device=device).manual_seed(SEED)
    d = model.shape.d_model
    unit, typical = _scales(model, sae, rows(stream, order[-64:], WINDOW + 1), device)
    # In units in which every row begins at the same size and a step of Adam is the same share of it.
    raw = (FIRST_SHARE * d**0.5 * sae.W_dec).clone().requires_grad_()
    shift = torch.zeros(d, device=device, requires_grad=True)
    average = raw.detach().clone()
    adam = torch.optim.Adam([raw, shift], lr=RATE)
    steps, began, gained = max(1, tokens // (BATCH_ROWS * WINDOW)), time.time(), 0.0
    for step in range(steps):
        taken = rows(stream, order[step * BATCH_ROWS : (step + 1) * BATCH_ROWS], WINDOW + 1)
        ids = torch.from_numpy(taken).to(device)
        with torch.no_grad():
            x = model.residuals(ids[:, :-1])[layer]
            codes = codes_of(sae, x) / typical
            kept = codes * (torch.rand(codes.shape, generator=generator, device=device) < KEPT)
        for group in adam.param_groups:
            group["lr"] = RATE * min(1.0, 2 * (1 - step / steps))
        with torch.enable_grad():
            delta = unit * (kept @ raw + shift)
            loss = _loss(model, x, delta, layer, ids)
            adam.zero_grad()
            loss.backward()
            adam.step()
        average.lerp_(raw.detach(), 1 - AVERAGE)
        if step % 20 == 0:
            with torch.no_grad():
                gained = float(_loss(model, x, torch.zeros_like(delta), layer, ids) - loss.detach())
            speed = (step + 1) * BATCH_ROWS * WINDOW / (time.time() - began)
            print(f"step {step} of {steps}: {gained:.3f} nats a token gained, {speed:.0f} tokens/s", flush=True)
    return F.normalize(average, dim=1).cpu()


def codes_of(sae: SAE, x: Tensor) -> Tensor:
    """Residuals [rows, WINDOW, d] -> codes [rows, passages, d_sae] of all passages but the one with BOS."""
    means = x.view(len(x), -1, SEGMENT, x.shape[-1])[:, 1:].mean(2)
    return sae.encode(means.flatten(0, 1)).view(*means.shape[:2], -1)


def _scales(model: LanguageModel, sae: SAE, ids: np.ndarray, device: torch.device) -> tuple[float, Tensor]:
    """Mean residual norm / sqrt(d), and each feature's mean activation where active [d_sae]."""
    with torch.no_grad():
        x = model.residuals(torch.from_numpy(ids[:, :-1]).to(device))[sae.hook_layer]
        codes = codes_of(sae, x).flatten(0, 1)
    active = (codes > 0).sum(0)
    overall = codes.sum() / active.sum()
    typical = torch.where(active > 0, codes.sum(0) / active.clamp_min(1), overall)
    return float(x[:, 1:].norm(dim=-1).mean() / x.shape[-1] ** 0.5), typical


def _loss(model: LanguageModel, x: Tensor, delta: Tensor, layer: int, ids: Tensor) -> Tensor:
    """Cross-entropy of what follows each token of the passages, `delta` [rows, passages, d] added to them."""
    steered = torch.cat([x[:, :SEGMENT], x[:, SEGMENT:] + delta.repeat_interleave(SEGMENT, 1)], dim=1)
    out = model.finish(steered, layer + 1)[:, SEGMENT:]
    return ChunkedCrossEntropy.apply(out.reshape(-1, out.shape[-1]), model.embedding, ids[:, SEGMENT + 1 :].reshape(-1))


def write_directions(directions: Tensor, folder: Path) -> None:
    with written_whole(folder / "steering.safetensors") as part:
        save_file({"directions": directions.to(torch.bfloat16).contiguous()}, part)
