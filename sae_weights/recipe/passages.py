"""Trains the passage dictionary: a TopK SAE on the residual averaged over 32 tokens.

A writer thinks in passages: where a token SAE follows words and grammar, this one's features are themes and registers.
Its centre and scale are folded into the weights, so it is an ordinary SAE in the residual's own coordinates.

Tried and not taken: squared error in partly whitened coordinates, to leave fewer features to the directions of
largest variance (talk against narration, tense, person). TopK chooses by activation, which in a direction of small
variance is small, so most features fell silent (60 % at power 0.25 after 10 epochs, 1 % without whitening).
"""

from __future__ import annotations

import time
from pathlib import Path

import collect
import torch
from collect import SEGMENT, load_segments
from learner import Learner, Plan
from sae_files import write_sae
from torch import Tensor

from undersong.engine.presence import PSEUDO_TOKENS

PLAN = Plan(d_sae=1024, k=10, selection="topk", dead_after=60_000)
EPOCHS, BATCH = 24, 2048
SEED = 11


def train_passages(segments: Tensor, plan: Plan, epochs: int, device: torch.device) -> dict[str, Tensor]:
    """segments [n, d] -> W_enc [d, d_sae], b_enc, W_dec [d_sae, d] (rows of unit norm), b_dec, in residual units."""
    learner = Learner(plan, segments[:20_000].to(device), SEED)
    generator = torch.Generator().manual_seed(SEED)
    per_epoch, began = len(segments) // BATCH, time.time()
    for epoch in range(epochs):
        order = torch.randperm(len(segments), generator=generator)
        for step in range(per_epoch):
            x = segments[order[step * BATCH : (step + 1) * BATCH]].to(device)
            unexplained = learner.step(x, (epoch + step / per_epoch) / epochs)
        if epoch % 4 == 3:
            dead = int(learner.dead.sum())
            print(f"epoch {epoch + 1}: {1 - unexplained:.3f}, {dead} dead, {time.time() - began:.0f} s", flush=True)
    return {name: tensor.cpu() for name, tensor in learner.folded().items()}


def make_passages(work: Path, layer: int, out: Path, device: torch.device) -> None:
    """Trained on all windows but the last N_CHECK."""
    folder = out / f"blocks.{layer}.passage_resid_post"
    if (folder / "sae_weights.safetensors").exists():
        return
    segments = load_segments(work, layer)[: -collect.N_CHECK].flatten(0, 1)
    sae = train_passages(segments, PLAN, EPOCHS, device)
    facts = {"selection": PLAN.selection, "k": PLAN.k, "passages": len(segments), "epochs": EPOCHS, "seed": SEED}
    own = {"grain": "passage", "segment_tokens": SEGMENT, "prior_tokens": PSEUDO_TOKENS}
    write_sae(folder, sae, layer, PLAN.k, own, facts)
