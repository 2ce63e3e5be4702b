"""Which words a passage feature raises: its direction is added to neutral text, the words whose probability gains
most are kept. Better labels than the direction through the unembedding, which gives what follows such words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM

LAYER = 3
STRENGTH = 0.4  # of the mean residual norm
WINDOWS, LENGTH, SKIP, CHUNK = 6, 32, 8, 16
WORDS = 10
WORD = re.compile(r" [a-z]{3,}")


def raised_words(weights: Path, directions: torch.Tensor, ids: np.ndarray, vocabulary: list[str]):
    """directions [n, d] -> for each the (raised, lowered) words. ids [>= WINDOWS, 512] is the neutral text."""
    network = AutoModelForCausalLM.from_pretrained(weights / "model", dtype=torch.float32).eval()
    pushed = torch.zeros(1)
    norms: list[float] = []

    def push(_module, _inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        norms.append(hidden[:, 1:].norm(dim=-1).mean().item())
        changed = hidden + pushed
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = network.model.layers[LAYER].register_forward_hook(push)
    neutral = torch.from_numpy(ids[:WINDOWS, :LENGTH].astype(np.int64))

    def probabilities(rows: int) -> torch.Tensor:
        logits = network(neutral.repeat(rows, 1), use_cache=False).logits[:, SKIP:]
        return logits.softmax(-1).view(rows, -1, logits.shape[-1]).mean(1)

    base = probabilities(1)
    reach = STRENGTH * norms[0]
    word = torch.tensor([bool(WORD.fullmatch(text)) for text in vocabulary])
    answers: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for start in range(0, len(directions), CHUNK):
        chunk = directions[start : start + CHUNK]
        pushed = (reach * chunk).repeat_interleave(WINDOWS, 0)[:, None]
        found = probabilities(len(chunk))
        change = (found + 1e-5).log() - (base + 1e-5).log()
        up = (change * found.sqrt()).masked_fill(~word, -1e9).topk(WORDS)[1]
        down = (-change * base.sqrt()).masked_fill(~word, -1e9).topk(WORDS)[1]
        for raised, lowered in zip(up.tolist(), down.tolist(), strict=True):
            answers.append(
                (tuple(vocabulary[i].strip() for i in raised), tuple(vocabulary[i].strip() for i in lowered))
            )
    handle.remove()
    return answers
