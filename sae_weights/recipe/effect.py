"""Which words a direction raises: it is added to neutral text, the words whose probability gains most are kept.

Better labels than the direction through the unembedding, which gives what follows such words."""

from __future__ import annotations

import re

import numpy as np
import torch
import torch.nn.functional as F
from language_model import LanguageModel
from torch import Tensor

STRENGTH = 0.4  # of the mean residual norm
WINDOWS, LENGTH, SKIP, CHUNK = 6, 32, 8, 32
WORDS = 10
WORD = re.compile(r" [a-z]{3,}")


@torch.no_grad()
def raised_words(
    model: LanguageModel, layer: int, directions: Tensor, ids: np.ndarray, vocabulary: list[str]
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """directions [n, d], unit rows added after `layer` -> for each the (raised, lowered) words.

    ids [>= WINDOWS, >= LENGTH]: the neutral text, BOS first. BOS is not steered, as it never is in the engine.
    """
    device = model.embedding.device
    neutral = torch.from_numpy(ids[:WINDOWS, :LENGTH].astype(np.int64)).to(device)
    x = model.residuals(neutral)[layer]
    reach = STRENGTH * x[:, 1:].norm(dim=-1).mean()

    def probabilities(hidden: Tensor) -> Tensor:
        """[rows, vocab], a row for every WINDOWS rows of hidden."""
        logits = F.linear(model.finish(hidden, layer + 1)[:, SKIP:], model.embedding)
        return logits.softmax(-1).view(-1, WINDOWS * (LENGTH - SKIP), logits.shape[-1]).mean(1)

    base = probabilities(x)
    word = torch.tensor([bool(WORD.fullmatch(text)) for text in vocabulary], device=device)
    steered = torch.ones_like(x[..., :1])
    steered[:, 0] = 0
    answers: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for chunk in directions.to(device).split(CHUNK):
        found = probabilities((x + reach * chunk[:, None, None] * steered).flatten(0, 1))
        change = (found + 1e-5).log() - (base + 1e-5).log()
        up = (change * found.sqrt()).masked_fill(~word, -1e9).topk(WORDS)[1]
        down = (-change * base.sqrt()).masked_fill(~word, -1e9).topk(WORDS)[1]
        for raised, lowered in zip(up.tolist(), down.tolist(), strict=True):
            answers.append(
                (tuple(vocabulary[i].strip() for i in raised), tuple(vocabulary[i].strip() for i in lowered))
            )
    return answers
