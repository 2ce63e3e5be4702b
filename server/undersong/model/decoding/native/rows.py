"""Keys and values of rows that go on from one prefix, where kernels.py finds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from undersong.model.decoding.decoder import Held
from undersong.model.decoding.native import tables as t

_ROOM = 64
"""New tokens that are made room for at a time."""


class NativeRows:
    """`prefix`: of each block float32 keys and values [1, n_kv_heads, n or more, d_head], read where they are.
    `blocks`: how many there are, each with `heads` heads of keys, `width` wide."""

    def __init__(self, prefix: Sequence[Held], n: int, count: int, blocks: int, heads: int, width: int) -> None:
        self.count = count
        self._prefix = [(_readable(keys), _readable(values)) for keys, values in prefix]
        self._shared, self._written = n, 0
        # Of each block keys and values [count * n_kv_heads, room, d_head].
        self._own = torch.empty((blocks, 2, count * heads, 0, width))
        self._table = np.zeros((blocks, t.HELD), np.int64)

    @property
    def length(self) -> int:
        return self._shared + self._written

    def take_back(self) -> None:
        if not self._written:
            raise ValueError("take_back: expected a token after the prefix, found none")
        self._written -= 1

    def grow(self) -> None:
        """The token that was written into every block counts."""
        self._written += 1

    def lines(self) -> t.Ints:
        """[count, ROW], with room for one more token."""
        if self._written == self._own.shape[3]:
            self._make_room()
        found = np.empty((self.count, t.ROW), np.int64)
        found[:, t.TABLE], found[:, t.INDEX] = self._table.ctypes.data, range(self.count)
        found[:, t.SHARED], found[:, t.WRITTEN] = self._shared, self._written
        return found

    def _make_room(self) -> None:
        before, n = self._own, self._written
        layers, two, heads, _, width = before.shape
        self._own = torch.empty((layers, two, heads, n + _ROOM, width))
        self._own[:, :, :, :n] = before
        if self._prefix:
            self._table[:, [t.KEYS, t.VALUES, t.STRIDE]] = [
                (keys.data_ptr(), values.data_ptr(), keys.stride(1)) for keys, values in self._prefix
            ]
        self._table[:, [t.OWN_KEYS, t.OWN_VALUES]] = [(own[0].data_ptr(), own[1].data_ptr()) for own in self._own]
        self._table[:, t.ROOM] = n + _ROOM


def _readable(held: Tensor) -> Tensor:
    """With each head's tokens one behind the other."""
    return held if held.stride(3) == 1 and held.stride(2) == held.shape[3] else held.contiguous()
