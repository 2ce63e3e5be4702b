"""One budget for all dials of a suggestion, tried on the draft at hand.

A dose is calibrated alone, on neutral openings. Several together move the model further, and on another text one may do
more or less. So before anything is written the dials are tried as a set after the prompt: ROWS short texts, and the
95th percentile of how far their tokens were moved from the unsteered model (nats a token). That goes with the square of
a dose: strength s of one dial stands for s^2 nats. The aim of several is the sum of their squares, and never more than
the budget, max(1, s^2) with the largest s.

Where the budget is passed all doses are cut by one factor, and where the aim is not nearly reached they are raised by
one, MOST at most: a ladder of factors is tried in one batch, and the aim lies between two of its rungs. What is only
ablated has no dose, and what has a condition may not be turned here at all: with such a dial there is no aim, and
nothing is raised.

The factor follows from the prompt's tokens and the dials alone, and is kept by just those: seeds, candidates and what
was written before do not matter, nor whether it was kept.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Generator, Hashable, Sequence

import torch

from undersong.engine.conditions import gates
from undersong.engine.loading import Loaded
from undersong.engine.reading import Reader
from undersong.engine.steering import Control, feature_id, hooks
from undersong.model.guarded import PLAUSIBLE, Guarded
from undersong.model.kv_cache import WindowCache
from undersong.model.sampling import Sampler
from undersong.model.steps import Wanted
from undersong.wire import WriteProgress

ROWS, N_TOKENS = 8, 12
LADDER = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85)
RAISED = (1.15, 1.3, 1.45, 1.6)
LEAST, MOST = 0.05, RAISED[-1]
NEARLY = 0.85
"""Of the aim: from there on it is reached."""
KEPT = 256


class Budget:
    """Used on the device thread only."""

    def __init__(self, loaded: Loaded, reader: Reader) -> None:
        self._loaded, self._reader = loaded, reader
        self._kept: OrderedDict[Hashable, float] = OrderedDict()

    def factor(
        self, prompt: Sequence[int], controls: Sequence[Control]
    ) -> Generator[WriteProgress | Wanted, None, float]:
        """Steps; returns what all doses are to be multiplied by, LEAST to MOST."""
        turning = [control for control in controls if control.turns]
        if not turning:
            return 1.0
        key = (tuple(prompt), tuple(map(_identity, turning)))
        if key not in self._kept:
            self._kept[key] = yield from self._measured(prompt, turning)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _measured(
        self, prompt: Sequence[int], controls: Sequence[Control]
    ) -> Generator[WriteProgress | Wanted, None, float]:
        budget, wanted = nats(controls), aim(controls)
        (whole,) = yield from self._tried(prompt, controls, [1.0])
        if not whole <= budget:
            tried = yield from self._tried(prompt, controls, LADDER)
            return between([*zip(LADDER, tried, strict=True), (1.0, whole)], budget)
        if whole < NEARLY * wanted:
            tried = yield from self._tried(prompt, controls, RAISED)
            return between([(1.0, whole), *zip(RAISED, tried, strict=True)], wanted)
        return 1.0

    def _tried(
        self, prompt: Sequence[int], controls: Sequence[Control], factors: Sequence[float]
    ) -> Generator[WriteProgress | Wanted, None, list[float]]:
        """Steps; the 95th percentile at each factor."""
        model = self._loaded.model
        rows = [factor for factor in factors for _ in range(ROWS)]
        window = yield from _quietly(self._reader.complete(prompt))
        generation = Guarded(
            model,
            window,
            len(prompt),
            [Sampler(1.0, 1.0, seed=0, row=row % ROWS) for row in range(len(rows))],
            max_tokens=N_TOKENS,
            interventions=hooks(
                controls, torch.tensor(rows), gates(self._loaded, controls, window, len(prompt), len(rows))
            ),
            banned=model.special_ids | self._loaded.line_break_ids,
            brake=math.inf,
            plausible=PLAUSIBLE,
        )
        done = 0
        while (yield from generation.advance()) is not None:
            done += 1
            yield WriteProgress("budget", done, N_TOKENS)
        found = torch.tensor(generation.kl).reshape(len(factors), -1)
        if not found.numel():
            return [0.0] * len(factors)
        # Without a brake only what is not a number is undone.
        lost = torch.tensor(generation.braked).reshape(len(factors), -1).sum(dim=1) > 0
        return torch.quantile(found, 0.95, dim=1).masked_fill(lost, math.inf).tolist()


def nats(controls: Sequence[Control]) -> float:
    """How far all of them together may move a token (95th percentile)."""
    return max([1.0, *(control.dial.strength**2 for control in controls if control.turns)])


def aim(controls: Sequence[Control]) -> float:
    """How far all of them together are to move a token (95th percentile); 0 where one has no dose, or a condition."""
    turning = [control for control in controls if control.turns]
    if not all(control.target and not control.dial.when for control in turning):
        return 0.0
    return min(nats(turning), sum(control.dial.strength**2 for control in turning))


def between(rungs: Sequence[tuple[float, float]], budget: float) -> float:
    """Of rungs (factor, nats) in rising order: the factor at which `budget` is spent. In hundredths, rounded down.

    It lies along a power law between the last rung before the first excess and that one; without an excess it is the
    last.
    """
    first = next((at for at, (_, found) in enumerate(rungs) if not found <= budget), None)
    if first is None:
        return rungs[-1][0]
    high, above = rungs[first]
    # Where nothing was within, or nothing was moved, the divergence goes with the square.
    low, below = rungs[first - 1] if first else (0.0, 0.0)
    if below > 0 and math.isfinite(above):
        power = math.log(above / below) / math.log(high / low)
        found = low * (budget / below) ** (1 / power)
    elif math.isfinite(above):
        found = max(low, high * math.sqrt(budget / above))
    else:
        found = low
    return max(LEAST, math.floor(found * 100 + 1e-6) / 100)


def _identity(control: Control) -> Hashable:
    feature = control.feature
    return (
        feature_id(feature), feature.operation, feature.share, control.target, control.dial.strength, control.dial.when
    )  # fmt: skip


def _quietly(steps: Generator[None, None, WindowCache]) -> Generator[WriteProgress, None, WindowCache]:
    """The same, told as progress of which nothing is done yet."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
        yield WriteProgress("budget", 0, N_TOKENS)
