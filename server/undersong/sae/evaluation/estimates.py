"""Figures with their standard errors.

Rows of text are summed up in groups of neighbours: what stands side by side is alike, so rows dealt out in turn would
make the groups more alike than other text is. How many rows will come is not known: where there are 2 GROUPS groups,
each is joined with the next. A figure is any function of the sums; its standard error is that of the delete-a-group
jackknife: how much the figure changes when one group is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

GROUPS = 32

Terms = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Estimate:
    """`error`: the standard error; infinite where it cannot be told (a single row)."""

    value: float
    error: float


class Sums:
    """Terms of rows, summed in float64."""

    def __init__(self) -> None:
        self._groups: list[Terms] = []
        # Rows in each group, and in the last one so far.
        self._size, self._held = 1, 1

    def add(self, rows: Terms) -> None:
        """Each term [n, ...]: one entry a row, in the order of the text; every call brings the same terms."""
        rows = {name: term.detach().to("cpu", torch.float64) for name, term in rows.items()}
        for number in range(len(next(iter(rows.values())))):
            own = {name: term[number] for name, term in rows.items()}
            if self._held == self._size:
                self._join()
                self._groups.append({name: torch.zeros_like(term) for name, term in own.items()})
                self._held = 0
            for name, term in own.items():
                self._groups[-1][name] += term
            self._held += 1

    def _join(self) -> None:
        """Room for one more group: where there are too many, each takes in the next and holds twice as many rows."""
        if len(self._groups) == 2 * GROUPS:
            pairs = zip(self._groups[::2], self._groups[1::2], strict=True)
            self._groups = [{name: term + right[name] for name, term in left.items()} for left, right in pairs]
            self._size *= 2

    def estimate(self, figures: Callable[[Terms], dict[str, float]]) -> dict[str, Estimate]:
        """Each figure of `figures(sums)`. ValueError if no row was added."""
        if not self._groups:
            raise ValueError("estimate: expected rows, found none")
        total = {name: torch.stack([group[name] for group in self._groups]).sum(0) for name in self._groups[0]}
        values = figures(total)
        if len(self._groups) == 1:
            return {name: Estimate(value, math.inf) for name, value in values.items()}
        left_out = [figures({name: total[name] - group[name] for name in total}) for group in self._groups]
        return {name: Estimate(value, _jackknife([each[name] for each in left_out])) for name, value in values.items()}


def _jackknife(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt((len(values) - 1) / len(values) * sum((value - mean) ** 2 for value in values))
