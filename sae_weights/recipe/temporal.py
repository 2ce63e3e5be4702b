"""A temporal SAE (Bhalla et al. 2025): a token SAE, part of whose code is asked to persist over neighbouring tokens.

The first HIGH_SHARE of the features must explain what they can by themselves, and their code at a token must tell
that token's neighbour from other tokens' neighbours (a contrastive loss); the rest explains what is left.

It is a candidate for compare.py and no part of the default weights; candidates.py trains it.
"""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from language_model import LanguageModel
from learner import Learner, Plan
from packing import Stream
from sae_files import write_sae
from token_saes import BATCH, BUFFER_ROWS, LENGTH, residual_rows
from torch import Tensor

PLAN = Plan(d_sae=2048, k=20, selection="topk")
HIGH_SHARE = 0.2
CONTRAST = 4.0
"""Weight of a nat of contrastive loss beside squared error in units of the residual's variance per coordinate."""
SEED = 31


class TemporalLearner(Learner):
    """Batches are pairs: the first half of the rows are tokens, the second half the tokens after them."""

    @property
    def high(self) -> int:
        return int(HIGH_SHARE * self.plan.d_sae)

    def loss(self, x: Tensor, codes: Tensor, wrong: Tensor) -> Tensor:
        high = codes[:, : self.high]
        coarse = x - high @ self.W_dec[: self.high] - self.b_dec
        return (wrong.pow(2) + coarse.pow(2)).sum(-1).mean() + CONTRAST * contrast(*high.chunk(2))


def contrast(first: Tensor, second: Tensor) -> Tensor:
    """Nats it takes to tell each row's partner from the other rows' ([n, m] each), by cosine."""
    similarity = F.normalize(first, dim=1) @ F.normalize(second, dim=1).t() / 0.1
    own = torch.arange(len(first), device=first.device)
    return (F.cross_entropy(similarity, own) + F.cross_entropy(similarity.t(), own)) / 2


def neighbours(x: Tensor, seed: int) -> Tensor:
    """x [rows, n_tokens, d] -> [pairs, 2, d]: each token and the one after it, pairs shuffled."""
    pairs = torch.stack([x[:, :-1], x[:, 1:]], dim=2).flatten(0, 1)
    return pairs[torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed)).to(x.device)]


def train_temporal(
    model: LanguageModel, stream: Stream, layer: int, tokens: int, out: Path, device: torch.device
) -> None:
    folder = out / f"blocks.{layer}.temporal_resid_post"
    if (folder / "sae_weights.safetensors").exists():
        return
    per_buffer = BUFFER_ROWS * (LENGTH - 2) // BATCH
    buffers, began = max(1, round(tokens / BATCH / per_buffer)), time.time()
    learner: TemporalLearner | None = None
    for number, found in enumerate(residual_rows(model, stream, [layer], device, skip=0)):
        if number == buffers:
            break
        pairs = neighbours(found[layer], number)
        if learner is None:
            learner = TemporalLearner(PLAN, pairs[:, 0], SEED)
        for step in range(per_buffer):
            batch = pairs[step * BATCH // 2 : (step + 1) * BATCH // 2]
            unexplained = learner.step(torch.cat([batch[:, 0], batch[:, 1]]), (number + step / per_buffer) / buffers)
        seen = (number + 1) * per_buffer * BATCH
        speed = seen / (time.time() - began)
        print(f"temporal: {seen / 1e6:.2f} of {tokens / 1e6:.1f} M tokens  {1 - unexplained:.3f}  {speed:.0f} tokens/s")
    assert learner is not None
    facts = {"selection": PLAN.selection, "k": PLAN.k, "tokens": tokens, "seed": SEED, "high": learner.high}
    write_sae(folder, learner.folded(), layer, PLAN.k, {}, facts)
