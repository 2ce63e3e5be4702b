"""Keys and values of rows that go on, token by token, from one prefix."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from undersong.model.decoding.decoder import Held

# New tokens that are made room for at a time.
_ROOM = 64


class SharedRows:
    """What the blocks hold for `count` rows after a prefix that all of them share.

    `prefix`: of each block the keys and values [1, n_kv_heads, n or more, d_head]. They are never written into, and
    copied only where there is but one row, which then has all it holds in one piece. All rows are equally long.
    """

    def __init__(self, prefix: Sequence[Held], n: int, count: int) -> None:
        self.count = count
        self._prefix, self._n = list(prefix), n
        self._shared = n if count > 1 else 0
        self._own: dict[int, Held] = {}
        # Of each block [count * n_kv_heads, room, d_head].
        self._written = 0

    @property
    def length(self) -> int:
        """Tokens that each row has keys and values of, in every block."""
        return self._n + self._written

    def take_back(self) -> None:
        """Forget the last token. ValueError where only the prefix is left."""
        if not self._written:
            raise ValueError("take_back: expected a token after the prefix, found none")
        self._written -= 1

    def prefix(self, layer: int, since: int) -> Held | None:
        """Of the shared tokens those from `since` on, [n_kv_heads, m, d_head]; None if there are none."""
        if since >= self._shared:
            return None
        keys, values = self._prefix[layer]
        return keys[0, :, since : self._shared], values[0, :, since : self._shared]

    def put(self, layer: int, keys: Tensor, values: Tensor, since: int) -> Held:
        """Add the token at hand, its `keys` and `values` [count, n_kv_heads, d_head]; the rows' own tokens from `since`
        on, it among them: [count * n_kv_heads, m, d_head]. `grow` once all blocks have it."""
        at = self.length - self._shared
        held = self._own.get(layer)
        if held is None or at == held[0].shape[1]:
            held = self._own[layer] = self._room(layer, keys, at)
        width = keys.shape[2]
        held[0].select(1, at).copy_(keys.reshape(-1, width))
        held[1].select(1, at).copy_(values.reshape(-1, width))
        first = max(0, since - self._shared)
        return held[0].narrow(1, first, at + 1 - first), held[1].narrow(1, first, at + 1 - first)

    def grow(self) -> None:
        """The token that was put into every block counts."""
        self._written += 1

    def _room(self, layer: int, like: Tensor, n: int) -> Held:
        """The rows' own keys and values with room for more tokens such as `like` [count, n_kv_heads, d_head]."""
        rows, heads, width = like.shape
        grown = like.new_empty((2, rows * heads, n + _ROOM, width))
        held = self._own.get(layer)
        if held is None and n:
            held = self._prefix[layer][0][0], self._prefix[layer][1][0]
        if held is not None:
            grown[0, :, :n], grown[1, :, :n] = held[0][:, :n], held[1][:, :n]
        return grown[0], grown[1]
