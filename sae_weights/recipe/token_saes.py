"""Trains an SAE on resid_post of every layer at once, so that the language model is run once for all of them.

A buffer of rows is read, BOS left out, its tokens shuffled and given to every layer's learner in batches. After every
CHECKPOINT buffers, and at the end, there is a checkpoint; an interrupted run goes on from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from language_model import LanguageModel
from learner import Learner, Plan, threshold
from packing import Stream, row_starts, rows
from sae_files import write_sae
from torch import Tensor
from whole_files import written_whole

LENGTH = 512
BUFFER_ROWS, READ_ROWS = 64, 16
BATCH = 4096
CHECKPOINT = 4
THRESHOLD_TOKENS = 8192
SEED = 5

D_SAE, K = 4096, 32
PLAN = Plan(D_SAE, K, "batchtopk")


@torch.no_grad()
def residual_rows(
    model: LanguageModel, stream: Stream, layers: Sequence[int], device: torch.device, skip: int
) -> Iterator[dict[int, Tensor]]:
    """Layer -> [BUFFER_ROWS, LENGTH - 1, d] without BOS, always in the same order, `skip` buffers left out."""
    order = np.random.default_rng(SEED).permutation(row_starts(stream, LENGTH))
    for at in range(skip * BUFFER_ROWS, len(order) - BUFFER_ROWS + 1, BUFFER_ROWS):
        parts: dict[int, list[Tensor]] = {layer: [] for layer in layers}
        for start in range(at, at + BUFFER_ROWS, READ_ROWS):
            ids = torch.from_numpy(rows(stream, order[start : start + READ_ROWS], LENGTH)).to(device)
            found = model.residuals(ids)
            for layer in layers:
                parts[layer].append(found[layer][:, 1:])
        yield {layer: torch.cat(found) for layer, found in parts.items()}


def residual_buffers(
    model: LanguageModel, stream: Stream, layers: Sequence[int], device: torch.device, skip: int
) -> Iterator[dict[int, Tensor]]:
    """Layer -> [n_tokens, d], shuffled."""
    for number, found in enumerate(residual_rows(model, stream, layers, device, skip), start=skip):
        shuffled = torch.randperm(BUFFER_ROWS * (LENGTH - 1), generator=torch.Generator().manual_seed(number))
        yield {layer: x.flatten(0, 1)[shuffled.to(x.device)] for layer, x in found.items()}


def train_token_saes(
    model: LanguageModel,
    stream: Stream,
    layers: Sequence[int],
    plan: Plan,
    tokens: int,
    work: Path,
    device: torch.device,
) -> dict[int, dict[str, Tensor]]:
    """Layer -> the SAE's tensors, `threshold` among them where the selection is BatchTopK.

    The checkpoint stays: whoever keeps what is returned deletes it then.
    """
    file = checkpoint(work, plan, layers)
    per_buffer = BUFFER_ROWS * (LENGTH - 1) // BATCH
    available = len(row_starts(stream, LENGTH)) // BUFFER_ROWS
    if not available:
        raise SystemExit(f"expected text of at least {BUFFER_ROWS * LENGTH} tokens to train SAEs on, found less")
    buffers = min(available, max(1, round(tokens / BATCH / per_buffer)))
    state = torch.load(file, map_location=device, weights_only=True) if file.exists() else {"buffers": 0}
    began, done = time.time(), state["buffers"]
    learners = {layer: Learner.restored(plan, state[layer]) for layer in layers} if done else {}
    fresh = islice(residual_buffers(model, stream, layers, device, skip=done), max(0, buffers - done))
    for number, buffer in enumerate(fresh, start=done):
        if not learners:
            learners = {layer: Learner(plan, buffer[layer], SEED + layer) for layer in layers}
        unexplained = {}
        for step in range(per_buffer):
            share = (number + step / per_buffer) / buffers
            for layer, learner in learners.items():
                unexplained[layer] = learner.step(buffer[layer][step * BATCH : (step + 1) * BATCH], share)
        seen = (number + 1) * per_buffer * BATCH
        speed = (number + 1 - done) * per_buffer * BATCH / (time.time() - began)
        told = "  ".join(f"{n}: {1 - u:.3f} {int(learners[n].dead.sum())} dead" for n, u in unexplained.items())
        print(f"{seen / 1e6:.2f} of {tokens / 1e6:.1f} M tokens  {told}  {speed:.0f} tokens/s", flush=True)
        if (number + 1) % CHECKPOINT == 0 or number + 1 == buffers:
            kept = {layer: learner.state() for layer, learner in learners.items()} | {"buffers": number + 1}
            with written_whole(file) as part:
                torch.save(kept, part)
    # The threshold is set on the buffer after those that were trained on, where the text has one more.
    unseen = next(residual_buffers(model, stream, layers, device, skip=min(buffers, available - 1)))
    return {layer: _finished(learner, unseen[layer]) for layer, learner in learners.items()}


def checkpoint(work: Path, plan: Plan, layers: Sequence[int]) -> Path:
    return work / f"token_saes_{plan.selection}_{'_'.join(map(str, layers))}.pt"


def _finished(learner: Learner, x: Tensor) -> dict[str, Tensor]:
    sae = learner.folded()
    if learner.plan.selection == "batchtopk":
        least = threshold(sae, x[:THRESHOLD_TOKENS], learner.plan.k)
        sae["threshold"] = torch.full((learner.plan.d_sae,), least)
    return {name: tensor.cpu() for name, tensor in sae.items()}


def write_token_saes(saes: dict[int, dict[str, Tensor]], plan: Plan, tokens: int, out: Path) -> None:
    for layer, tensors in saes.items():
        facts = {"selection": plan.selection, "k": plan.k, "tokens": tokens, "seed": SEED + layer}
        write_sae(out / f"blocks.{layer}.hook_resid_post", tensors, layer, plan.k, {}, facts)
