"""Figures with their standard errors.

Rows of text are summed up in up to GROUPS groups of neighbours: what stands side by side is alike, so rows dealt out
in turn would make the groups more alike than other text is. A figure is any function of the sums; its standard error is
that of the delete-a-group jackknife: how much the figure changes when one group is left out.
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
    """`error`: the standard error, 0 of what was counted and not sampled, infinite of a single row."""

    value: float
    error: float = 0.0


class Sums:
    """Terms of `rows` rows in all, summed in float64."""

    def __init__(self, rows: int) -> None:
        self._expected, self._rows = rows, 0
        self._groups: list[Terms] = []

    def add(self, rows: Terms) -> None:
        """Each term [n, ...]: one entry a row, in the order of the text; every call brings the same terms."""
        rows = {name: term.double() for name, term in rows.items()}
        for number in range(len(next(iter(rows.values())))):
            own = {name: term[number] for name, term in rows.items()}
            if not self._groups or self._group(self._rows) > self._group(self._rows - 1):
                self._groups.append({name: torch.zeros_like(term) for name, term in own.items()})
            for name, term in own.items():
                self._groups[-1][name] += term
            self._rows += 1

    def _group(self, row: int) -> int:
        return row * GROUPS // self._expected

    def estimate(self, figures: Callable[[Terms], dict[str, float]]) -> dict[str, Estimate]:
        """Each figure of `figures(sums)`. ValueError if there are no rows, or not all have been added."""
        if not self._groups or self._rows != self._expected:
            raise ValueError(f"estimate: expected {self._expected or 'some'} rows, found {self._rows}")
        total = {name: torch.stack([group[name] for group in self._groups]).sum(0) for name in self._groups[0]}
        values = figures(total)
        if len(self._groups) == 1:
            return {name: Estimate(value, math.inf) for name, value in values.items()}
        left_out = [figures({name: total[name] - group[name] for name in total}) for group in self._groups]
        return {name: Estimate(value, _jackknife([each[name] for each in left_out])) for name, value in values.items()}


def _jackknife(values: list[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt((len(values) - 1) / len(values) * sum((value - mean) ** 2 for value in values))
