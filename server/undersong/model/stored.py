"""Keys and values that some blocks keep of a window's first tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

from transformers.cache_utils import DynamicLayer

from undersong.model.fork import ForkedLayer
from undersong.model.kept import Kept

Run = Callable[[Sequence[Any], int, int], None]
"""Runs the blocks over tokens start..stop of the window, after what the cache layers given hold, which grow."""


class Stored:
    """What blocks with `kept` keep of the first `length` tokens; `layers` are their keys and values.

    Either a method does all it says or, if it raises, everything is as it was. Whoever asks gives `run`: were it held
    here, it would hold the window in turn.
    """

    def __init__(self, kept: Sequence[Kept]) -> None:
        self.kept = tuple(kept)
        self.layers: list[DynamicLayer] = [DynamicLayer() for _ in self.kept]
        self.length = 0

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        kept = [tensor for layer in self.layers for tensor in (layer.keys, layer.values)]
        # A cropped tensor is a view: what it was cropped from is held until the next extension.
        return sum(t.untyped_storage().nbytes() for t in kept if t is not None)

    def shorten(self, n: int) -> None:
        """Keep the first `n` tokens at most."""
        for layer in self.layers:
            surplus = layer.get_seq_length() - n
            if surplus > 0 and n > 0:
                layer.crop(-surplus)
            elif surplus > 0:
                layer.reset()
        self.length = min(self.length, n)

    def grow(self, stop: int, run: Run) -> None:
        """Run the blocks over the tokens up to `stop`."""
        start = self.length
        try:
            run(self.layers, start, stop)
        except BaseException:
            self.shorten(start)
            raise
        self.length = stop

    def fork(self, n: int, rows: int, run: Run) -> list[Any]:
        """Cache layers after the first `n` tokens, for `rows` rows; keys and values are not copied before they grow."""
        return [
            ForkedLayer.of(layer, n if kept.attends else 0, rows)
            for kept, layer in zip(self.kept, self.layers, strict=True)
        ]

    def branch(self, n: int) -> Self:
        """The first `n` tokens on their own. Until either grows they share their tensors, which neither writes into."""
        made = type(self)(self.kept)
        made.layers = [view(layer, n) for layer in self.layers]
        made.length = n
        return made


class Counted(DynamicLayer):
    """Stands for a layer that `n` tokens have passed, in a block that does not run: positions and masks are read off
    it."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self._n = n

    def get_seq_length(self) -> int:
        return self._n


def view(layer: DynamicLayer, n: int) -> DynamicLayer:
    """The first `n` tokens of `layer`, or all where it has fewer; nothing is copied."""
    cut = DynamicLayer()
    if n > 0 and layer.keys is not None and layer.values is not None:
        cut.lazy_initialization(layer.keys, layer.values)
        cut.keys, cut.values = layer.keys[..., :n, :], layer.values[..., :n, :]
    return cut
