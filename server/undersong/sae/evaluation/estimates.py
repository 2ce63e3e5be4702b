"""Figures with their standard errors.

Rows of text are summed up in up to GROUPS groups. A figure is any function of the sums; its standard error is that of
the delete-a-group jackknife: how much the figure changes when one group is left out.
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
        self._rows = 0

    def add(self, rows: Terms) -> None:
        """Each term [n, ...]: one entry a row; every call brings the same terms."""
        rows = {name: term.detach().to("cpu", torch.float64) for name, term in rows.items()}
        for number in range(len(next(iter(rows.values())))):
            own = {name: term[number] for name, term in rows.items()}
            at = self._rows % GROUPS
            if at == len(self._groups):
                self._groups.append({name: torch.zeros_like(term) for name, term in own.items()})
            for name, term in own.items():
                self._groups[at][name] += term
            self._rows += 1

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
