"""By what each position turns a head: cosines and sines of a network's own rotary embedding."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

_TOGETHER, _KEPT = 1024, 8
"""Positions made at a time, and how often that is kept: a context may have millions of them."""


class Rotations:
    """`rotary` is called as transformers' models call it; `like` has the type and device that they compute with."""

    def __init__(self, rotary: nn.Module, like: Tensor) -> None:
        self._rotary: Any = rotary
        self._like = like
        self._made: OrderedDict[int, tuple[Tensor, Tensor]] = OrderedDict()

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        """(cosines, sines) [n], n half of the numbers of a head that turn: x[i] and x[n + i] turn together."""
        number, at = divmod(position, _TOGETHER)
        if number not in self._made:
            self._made[number] = self._some(number * _TOGETHER)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        cosines, sines = self._made[number]
        return cosines[at], sines[at]

    def _some(self, first: int) -> tuple[Tensor, Tensor]:
        positions = torch.arange(first, first + _TOGETHER, device=self._like.device)[None]
        cosines, sines = (table[0] for table in self._rotary(self._like, positions))
        half = cosines.shape[-1] // 2
        return cosines[:, :half].contiguous(), sines[:, :half].contiguous()
