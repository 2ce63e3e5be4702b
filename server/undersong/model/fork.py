"""Keys and values of candidates that share a prefix with a window."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

# New tokens a fork makes room for at a time.
_ROOM = 64


def growing_cache(layers: Iterable[Any]) -> DynamicCache:
    """A DynamicCache of just these layers. It changes the layers it is given, not copies of them."""
    cache = DynamicCache()
    cache.layers.extend(layers)
    return cache


class ForkedLayer(DynamicLayer):
    """One layer of a fork: a view of the shared prefix until the first new token, then a buffer of its own.

    transformers' DynamicLayer copies everything at each token; this one writes the new token in place.
    """

    def __init__(self) -> None:
        super().__init__()
        self._buffers: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(cls, layer: DynamicLayer, n: int, rows: int) -> ForkedLayer:
        """The first `n` tokens of `layer` (a batch of one, or of `rows`) for `rows` rows; nothing is copied."""
        fork = cls()
        if n > 0:
            assert layer.keys is not None and layer.values is not None
            fork.lazy_initialization(layer.keys, layer.values)
            fork.keys = layer.keys[..., :n, :].expand(rows, -1, -1, -1)
            fork.values = layer.values[..., :n, :].expand(rows, -1, -1, -1)
        return fork

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[..., :0, :], value_states[..., :0, :]
        assert self.keys is not None and self.values is not None
        before = self.keys.shape[-2]
        after = before + key_states.shape[-2]
        if self._buffers is None or after > self._buffers[0].shape[-2]:
            self._buffers = (_room(self.keys, after), _room(self.values, after))
        keys, values = self._buffers
        keys[..., before:after, :] = key_states
        values[..., before:after, :] = value_states
        self.keys, self.values = keys[..., :after, :], values[..., :after, :]
        return self.keys, self.values

    def reset(self) -> None:
        super().reset()
        self._buffers = None

    # These give `keys` and `values` new tensors: the buffers no longer stand behind them.

    def reorder_cache(self, beam_idx: Any) -> None:
        super().reorder_cache(beam_idx)
        self._buffers = None

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._buffers = None

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._buffers = None


def _room(held: Tensor, needed: int) -> Tensor:
    """A copy of `held` [rows, heads, n, d] with room for `needed` tokens and some more."""
    rows, heads, n, width = held.shape
    grown = held.new_empty((rows, heads, needed + _ROOM, width))
    grown[..., :n, :] = held
    return grown
