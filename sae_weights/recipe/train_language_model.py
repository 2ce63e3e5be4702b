"""Trains the language model: Muon for matrices, AdamW for the rest, a constant rate and then a straight way down.

One pass: nothing to overfit (rows begin at paragraphs, so a few tokens stand in two of them). Windows are 512 tokens
long and of full context in the last quarter. A checkpoint every CHECKPOINT
steps holds all that the next steps depend on, so a run that was cut off goes on as if it had not been; in the constant
part `tokens` may still be changed.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from language_model import ChunkedCrossEntropy, LanguageModel, Shape, export
from muon import Muon
from packing import Stream, row_starts, rows
from tokenizers import Tokenizer

SHORT = 512
BATCH_TOKENS = 8192
MUON_LR, ADAM_LR = 0.02, 3e-3
WARM_UP_STEPS = 60
DECAY_FROM = 0.5  # share of all tokens
LONG_FROM = 0.75
CHECKPOINT = 200
CHECK_ROWS = 48
SEED = 3


def rate(share: float, step: int) -> float:
    """Of the full learning rate, at this share of all tokens."""
    return min(1.0, (step + 1) / WARM_UP_STEPS) * min(1.0, (1 - share) / (1 - DECAY_FROM))


def native_bfloat16(device: torch.device) -> bool:
    """Elsewhere bfloat16 products are several times slower than float32 ones."""
    if device.type == "cuda":
        return True
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


class Trainer:
    def __init__(self, stream: Stream, heldout: Stream, shape: Shape, work: Path, device: torch.device) -> None:
        torch.manual_seed(SEED)
        torch.set_float32_matmul_precision("high")
        self.stream, self.heldout, self.shape, self.device = stream, heldout, shape, device
        self.file = work / "language_model.pt"
        self.model = LanguageModel(shape).to(device)
        self.compiled = torch.compile(self.model)
        self.muon = Muon([self.model.attention, self.model.gate_up, self.model.down], MUON_LR)
        self.adam = torch.optim.AdamW(
            [self.model.embedding, self.model.norms], lr=ADAM_LR, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.autocast = torch.autocast(device.type, torch.bfloat16, enabled=native_bfloat16(device))
        starts = row_starts(stream, shape.context + 1)
        self.order = np.random.default_rng(SEED).permutation(starts)
        self.step = self.tokens = self.row = 0
        self.seconds = 0.0
        if self.file.exists():
            self._load()

    def train(self, tokens: int) -> None:
        """Until `tokens` have been seen, or all of the text."""
        tokens = min(tokens, len(self.order) * self.shape.context)
        smooth, began, before = math.nan, time.time(), self.seconds
        from_step, from_tokens = self.step, self.tokens
        while self.tokens < tokens:
            share = self.tokens / tokens
            batch = self._batch(self.shape.context if share >= LONG_FROM else SHORT)
            loss = self._update(batch, rate(share, self.step))
            smooth = loss if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss
            self.step += 1
            self.tokens += batch[:, 1:].numel()
            self.seconds = before + time.time() - began
            if self.step % 20 == 0:
                speed = (self.tokens - from_tokens) / (time.time() - began)
                print(
                    f"step {self.step}  {self.tokens / 1e6:.2f} of {tokens / 1e6:.0f} M tokens  loss {smooth:.3f}  "
                    f"rate {rate(share, self.step):.2f}  {speed:.0f} tokens/s  {self.seconds / 60:.0f} min",
                    flush=True,
                )
            if self.step % CHECKPOINT == 0:
                self._save()
                print(f"  held out, {CHECK_ROWS} rows: {self.check():.3f} nats a token", flush=True)
        if self.step > from_step:
            self._save()

    def _batch(self, length: int) -> torch.Tensor:
        """[n, length + 1]: the next rows of full context, whole or as two or more shorter ones."""
        count = BATCH_TOKENS // self.shape.context
        starts = self.order[self.row : self.row + count]
        self.row += count
        offsets = np.arange(0, self.shape.context, length)
        taken = rows(self.stream, (starts[:, None] + offsets).ravel(), length + 1)
        return torch.from_numpy(taken).to(self.device)

    def _update(self, batch: torch.Tensor, share: float) -> float:
        for group, full in ((self.muon.param_groups[0], MUON_LR), (self.adam.param_groups[0], ADAM_LR)):
            group["lr"] = full * share
        with torch.enable_grad():
            with self.autocast:
                x = self.compiled(batch[:, :-1])
            flat = x.float().reshape(-1, self.shape.d_model)
            loss = ChunkedCrossEntropy.apply(flat, self.model.embedding, batch[:, 1:].reshape(-1))
            loss.backward()
        self.muon.step()
        self.adam.step()
        self.model.zero_grad()
        return loss.item()

    @torch.no_grad()
    def check(self) -> float:
        """Nats a token on rows spread over the held-out books."""
        starts = row_starts(self.heldout, SHORT + 1)
        starts = starts[np.linspace(0, len(starts) - 1, CHECK_ROWS).astype(int)]
        total = 0.0
        for at in range(0, len(starts), 8):
            part = torch.from_numpy(rows(self.heldout, starts[at : at + 8], SHORT + 1)).to(self.device)
            logits = F.linear(self.model(part[:, :-1]), self.model.embedding)
            total += F.cross_entropy(logits.flatten(0, 1), part[:, 1:].reshape(-1)).item() * len(part)
        return total / len(starts)

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "muon": self.muon.state_dict(),
            "adam": self.adam.state_dict(),
            "counts": (self.step, self.tokens, self.row, self.seconds),
        }
        part = self.file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self.file)

    def _load(self) -> None:
        state = torch.load(self.file, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.muon.load_state_dict(state["muon"])
        self.adam.load_state_dict(state["adam"])
        self.step, self.tokens, self.row, self.seconds = state["counts"]
        print(f"going on from step {self.step}", flush=True)


def train_language_model(
    stream: Stream, heldout: Stream, tokenizer: Tokenizer, out: Path, work: Path, tokens: int, device: torch.device
) -> None:
    trainer = Trainer(stream, heldout, Shape(vocab_size=tokenizer.get_vocab_size()), work, device)
    trainer.train(tokens)
    trained = {"tokens": trainer.tokens, "steps": trainer.step, "minutes": round(trainer.seconds / 60), "seed": SEED}
    export(trainer.model, out, trained)
