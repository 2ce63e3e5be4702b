"""A row of a batch: one text that is being written, and what draws its tokens."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from undersong.catalogue.always_off import has_never
from undersong.engine.unfolding import Unfolding
from undersong.model.kv_cache import WindowCache
from undersong.model.sampling import Sampler
from undersong.model.steps import Wanted


@dataclass(slots=True, eq=False)
class Row:
    """`spoiled`: a word that may not be written ended it.

    `written`, `braked`, `held`: tokens that were drawn, and what the guards did (model/guarded.py).
    """

    sampler: Sampler
    text: Unfolding
    steered: bool = True
    spoiled: bool = False
    written: int = 0
    braked: int = 0
    held: int = 0

    def spoil(self, text: str, always_off: Sequence[str]) -> None:
        """Leave the row out where `text` has a word of these lists. The unsteered row is only compared with."""
        self.spoiled |= self.steered and has_never(text, always_off)


Drawn = Generator[list[str] | Wanted, None, None]
"""Steps of a batch; each answers what may be told of every row, the last what is left to be told. Passes that are
wanted come between, to be handed on."""
Draw = Callable[[WindowCache, int, Sequence[Row], int], Drawn]
"""Writes rows after the first n tokens of a window, a number of tokens at most."""
