"""Writing that is held back where steering goes too far.

Each row that is steered has a twin in the batch that is fed the same tokens unsteered: how far steering moved the model
is known at every token, as Kullback-Leibler divergence in nats (divergence.py).

Brake. A token that was moved further than `brake` nats is undone (its keys and values too) and computed again with its
row's whole delta multiplied by sqrt(AIM * brake / KL), since the divergence of a small delta goes with its square; at
most TRIES times, then without steering. Rows that were within stay as they were. What was steered before stays in a
row's keys and values, so that a token may be further away even when it is not steered itself.

Plausible. A token that is moved is drawn only from the likeliest ones that together have PLAUSIBLE of the probability
by the row's twin: steering chooses among what the unsteered model would go on with, and never brings in what it would
hardly say. Most of what makes steered text read badly are single tokens from far out.

Repetition. No NGRAM tokens in a row are written a third time in one row's own text: what would be the last of them is
not chosen. This holds for every row, steered or not, so that strength 0 is no steering.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import torch
from torch import Tensor

from undersong.model.divergence import kl_per_token, with_twins
from undersong.model.generation import Generation
from undersong.model.interventions import Intervention
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler, nucleus
from undersong.model.steps import Asked, after_window

BRAKE_NATS = 2.0
AIM = 0.95
"""Of the brake: aimed at itself, rounding would often leave a token a hair above."""
TRIES = 4
PLAUSIBLE = 0.8
MOVED = 1e-5
"""Nats: a token that steering moved less than this is drawn as without it."""
NGRAM = 4
TIMES = 2
"""How often the same NGRAM tokens may stand in one row's text."""


class Guarded(Generation):
    """A Generation with a brake and a guard against repetition.

    `kl`: of each row, how far its tokens were moved (nats), after braking; nothing for rows that are not steered.
    `braked`, `held`: of each row, the tokens that were braked, and those where the likeliest was held back as a
    repetition. `plausible`: 1 leaves every token. `before`: ids of the same text that stand at the end of the prompt
    already, for the guard.
    """

    def __init__(
        self,
        model: LanguageModel,
        window: WindowCache,
        n: int,
        samplers: Sequence[Sampler],
        *,
        max_tokens: int,
        interventions: Sequence[Intervention] = (),
        max_fraction: float | None = 1.0,
        banned: Collection[int] = (),
        bias: Tensor | None = None,
        brake: float = BRAKE_NATS,
        plausible: float = PLAUSIBLE,
        before: Sequence[int] = (),
    ) -> None:
        if not 1 <= n <= window.length:
            raise ValueError(f"guarded: expected 1 to {window.length} tokens to write after, found {n}")
        rows = len(samplers)
        self._steered = steered_rows(interventions, rows)
        super().__init__(
            model,
            after_window(model, window, n - 1, rows + len(self._steered)),
            window.ids[n - 1],
            samplers,
            max_tokens=max_tokens,
            interventions=[with_twins(each, rows, len(self._steered)) for each in interventions],
            max_fraction=max_fraction,
            banned=banned,
            bias=bias,
        )
        self._brake, self._plausible, self._before = brake, plausible, list(before)
        self._twins, self._moved = torch.empty(0), set[int]()
        self.kl: list[list[float]] = [[] for _ in samplers]
        self.braked = [0] * rows
        self.held = [0] * rows

    def _logits(self) -> Asked:
        fed = [self._next[row] for row in (*range(self.rows), *self._steered)]
        factors = [1.0] * len(fed)
        for attempt in range(TRIES + 2):
            self._steering.damp(torch.tensor(factors) if attempt else None)
            if attempt:
                self._steps.take_back()
            logits = yield from self._steps.asked(fed)
            divergences = kl_per_token(logits[self._steered], logits[self.rows :]).tolist() if self._steered else []
            kl = dict(zip(self._steered, divergences, strict=True))
            # Not a number is too far as well.
            too_far = [row for row in kl if self._running[row] and factors[row] and not kl[row] <= self._brake]
            if not too_far:
                break
            for row in too_far:
                within = attempt < TRIES and math.isfinite(kl[row])
                factors[row] *= math.sqrt(AIM * self._brake / kl[row]) if within else 0.0
        self._moved = {row for row in self._steered if kl[row] > MOVED}
        for row in self._steered:
            if self._running[row]:
                self.kl[row].append(kl[row])
                self.braked[row] += factors[row] < 1.0
        self._twins = logits[self.rows :]
        return logits[: self.rows]

    def _allowed(self, logits: Tensor, running: Sequence[int]) -> Tensor:
        logits = self._kept_plausible(logits, running)
        for at, row in enumerate(running):
            repeated = [token for token in repeating(self._before + self.ids[row]) if logits[at, token] > -math.inf]
            if repeated and len(repeated) < int((logits[at] > -math.inf).sum()):
                self.held[row] += int(logits[at].argmax()) in repeated
                logits = logits.clone()
                logits[at, repeated] = -math.inf
        return logits

    def _kept_plausible(self, logits: Tensor, running: Sequence[int]) -> Tensor:
        pairs = [(at, self._steered.index(row)) for at, row in enumerate(running) if row in self._moved]
        if not pairs or self._plausible >= 1:
            return logits
        places, twins = (list(each) for each in zip(*pairs, strict=True))
        base = self._twins[twins] if self._bias is None else self._twins[twins] + self._bias
        kept = logits[places].masked_fill(~nucleus(base.softmax(dim=-1), self._plausible), -math.inf)
        # The steered model may be sure of something else altogether.
        kept = torch.where((kept > -math.inf).any(dim=-1, keepdim=True), kept, logits[places])
        return logits.index_copy(0, torch.tensor(places, device=logits.device), kept)


def steered_rows(interventions: Iterable[Intervention], rows: int) -> list[int]:
    """Those that any of them changes."""
    scales = [torch.ones(rows) if each.scale is None else each.scale.expand(rows).cpu() for each in interventions]
    return [row for row in range(rows) if any(float(scale[row]) for scale in scales)]


def repeating(ids: Sequence[int], length: int = NGRAM, times: int = TIMES) -> list[int]:
    """The tokens that would write the same `length` tokens once more than `times` after `ids`; in rising order."""
    if len(ids) < length:
        return []
    end = tuple(ids[len(ids) - length + 1 :])
    counts: dict[int, int] = {}
    for at in range(len(ids) - length + 1):
        if tuple(ids[at : at + length - 1]) == end:
            counts[ids[at + length - 1]] = counts.get(ids[at + length - 1], 0) + 1
    return sorted(token for token, count in counts.items() if count >= times)
