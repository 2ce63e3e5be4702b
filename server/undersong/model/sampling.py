"""Choosing the next token.

A row draws from its own stream of random numbers, one number a token, seeded from (seed, row): what it writes does
not depend on which rows run beside it, on the device, or on how many there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from undersong.errors import BadStrength
from undersong.model.language_model import LanguageModel

# How many of the likeliest tokens are looked at before all are sorted.
_SHORT = 1024

Numbers = NDArray[np.float32]


class Sampler:
    """How one row chooses.

    `temperature` 0 takes the likeliest; `top_p` keeps the likeliest tokens that together reach it.
    """

    def __init__(self, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0, row: int = 0) -> None:
        if not 0 <= temperature < float("inf"):
            raise BadStrength(f"temperature: expected a number from 0 up, found {temperature}")
        if not 0 < top_p <= 1:
            raise BadStrength(f"top-p: expected a number above 0, up to 1, found {top_p}")
        self.temperature = temperature
        self.top_p = top_p
        # Hashed, since neighbouring seeds must not give neighbouring streams.
        digest = hashlib.sha256(f"{seed}:{row}".encode()).digest()
        self._generator = torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))

    def draw(self) -> float:
        """The row's next number in [0, 1)."""
        return torch.rand((), generator=self._generator, dtype=torch.float64).item()


def choose(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    """One token id a row from `logits` [rows, vocab]; -inf marks what may not be chosen."""
    logits = logits.to(torch.float32)
    chosen: list[int] = [-1] * len(samplers)
    cold = [row for row, sampler in enumerate(samplers) if sampler.temperature == 0]
    whole = [row for row, sampler in enumerate(samplers) if sampler.temperature > 0 and sampler.top_p == 1]
    nucleus = [row for row, sampler in enumerate(samplers) if sampler.temperature > 0 and sampler.top_p < 1]
    for rows, pick in ((cold, _likeliest), (whole, _from_all), (nucleus, _from_nucleus)):
        if rows:
            picked = pick(logits if len(rows) == len(samplers) else logits[rows], [samplers[row] for row in rows])
            for row, token in zip(rows, picked, strict=True):
                chosen[row] = token
    return chosen


def _likeliest(logits: Tensor, _samplers: Sequence[Sampler]) -> list[int]:
    if logits.device.type == "cpu":
        # Several times faster than torch's own there.
        return logits.numpy().argmax(axis=-1).tolist()
    return logits.argmax(dim=-1).tolist()


def _from_all(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    weights = _warmed(logits, samplers)
    sums = weights.cumsum(dim=-1)
    draws = torch.tensor([sampler.draw() for sampler in samplers], device=weights.device)
    place = torch.searchsorted(sums, draws[:, None] * sums[:, -1:], right=True)[:, 0].clamp_max(weights.shape[1] - 1)
    # Rounding may lead past the last weight that is not zero.
    blocked = weights.gather(1, place[:, None])[:, 0] == 0
    return torch.where(blocked, weights.argmax(dim=-1), place).tolist()


def _from_nucleus(logits: Tensor, samplers: Sequence[Sampler]) -> list[int]:
    rows = _warmed(logits, samplers).cpu().numpy()
    return [_drawn(row, sampler) for row, sampler in zip(rows, samplers, strict=True)]


def _drawn(probabilities: Numbers, sampler: Sampler) -> int:
    # In the order of the vocabulary: that of likelihood turns on the last bit where two are nearly equal.
    tokens = _inside(probabilities, sampler.top_p)
    sums = _running(probabilities[tokens])
    place = int(sums.searchsorted(np.float32(sampler.draw()) * sums[-1], side="right"))
    return int(tokens[min(place, len(tokens) - 1)])


def nucleus(probabilities: Tensor, top_p: float) -> Tensor:
    """[rows, vocab], true at the likeliest tokens of `probabilities` [rows, vocab] that together reach `top_p`.

    One at least: a token is in it if those before it do not reach `top_p` yet.
    """
    inside = np.zeros(tuple(probabilities.shape), dtype=bool)
    for row, likely in zip(inside, probabilities.cpu().numpy(), strict=True):
        row[_inside(likely, top_p)] = True
    return torch.from_numpy(inside).to(probabilities.device)


def _inside(probabilities: Numbers, top_p: float) -> NDArray[np.intp]:
    """The tokens of a nucleus, rising, of `probabilities` [vocab].

    numpy sorts numbers many times faster than torch sorts them with their places: the least likely one that is kept
    tells the others.
    """
    vocab = len(probabilities)
    for length in (_SHORT, vocab):
        if length > vocab:
            continue
        # Nearly always a few of the likeliest reach it.
        some = probabilities if length == vocab else np.partition(probabilities, vocab - length)[-length:]
        falling = np.sort(some)[::-1]
        sums = _running(falling)
        if sums[-1] >= top_p or length == vocab:
            break
    kept = int((sums - falling < np.float32(top_p)).sum())
    least = falling[kept - 1]
    tokens = np.flatnonzero(probabilities >= least)
    if len(tokens) > kept:
        # Of those that are just as likely as the last the first ones.
        last = tokens[probabilities[tokens] == least]
        tokens = np.setdiff1d(tokens, last[len(last) - (len(tokens) - kept) :], assume_unique=True)
    return tokens


def _running(values: Numbers) -> Numbers:
    """Running sums, summed in double precision."""
    return values.cumsum(dtype=np.float64).astype(np.float32)


def _warmed(logits: Tensor, samplers: Sequence[Sampler]) -> Tensor:
    temperatures = torch.tensor([sampler.temperature for sampler in samplers], device=logits.device)
    return torch.softmax(logits / temperatures[:, None], dim=-1)


def banned_bias(model: LanguageModel, banned: Collection[int], bias: Tensor | None = None) -> Tensor | None:
    """What to add to logits [..., vocab_size]: `bias`, and -inf at the `banned` ids; None if that is nothing."""
    if not banned:
        return None if bias is None else bias.to(model.device, torch.float32)
    total = torch.zeros(model.vocab_size, device=model.device)
    if bias is not None:
        total += bias.to(model.device, torch.float32)
    total[list(banned)] = float("-inf")
    return total
