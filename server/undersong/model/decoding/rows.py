"""Keys and values of rows that go on, token by token, from one prefix."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

# New tokens that are made room for at a time.
_ROOM = 64

Held = tuple[Tensor, Tensor]


class Rows:
    """What the blocks hold for `count` rows after a prefix that all of them share.

    `prefix`: of each block the keys and values [1, n_kv_heads, n or more, d_head]. They are never written into, and
    copied only where there is but one row, which then has all it holds in one piece. All rows are equally long.
    """

    def __init__(self, prefix: Sequence[Held], n: int, count: int) -> None:
        self.count = count
        self._prefix, self._n = list(prefix), n
        self._shared = n if count > 1 else 0
        self._own: dict[int, Tensor] = {}
        # Of each block [2, count * n_kv_heads, room, d_head]: keys, values.
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

    def put(self, layer: int, token: Tensor, since: int) -> Held:
        """Add the token at hand, its keys and values [count, 2 * n_kv_heads, d_head]; the rows' own tokens from `since`
        on, it among them: [count * n_kv_heads, m, d_head]. `grow` once all blocks have it."""
        at = self.length - self._shared
        held = self._own.get(layer)
        if held is None or at == held.shape[2]:
            held = self._own[layer] = self._room(layer, token, at)
        rows, both, width = token.shape
        held[:, :, at] = token.view(rows, 2, both // 2, width).transpose(0, 1).reshape(2, -1, width)
        first = max(0, since - self._shared)
        return held[0, :, first : at + 1], held[1, :, first : at + 1]

    def grow(self) -> None:
        """The token that was put into every block counts."""
        self._written += 1

    def _room(self, layer: int, like: Tensor, n: int) -> Tensor:
        """The rows' own keys and values with room for more tokens such as `like` [count, 2 * n_kv_heads, d_head]."""
        rows, both, width = like.shape
        grown = like.new_empty((2, rows * both // 2, n + _ROOM, width))
        held = self._own.get(layer)
        if held is not None:
            grown[:, :, :n] = held[:, :, :n]
        elif n:
            for part, shared in zip(grown, self._prefix[layer], strict=True):
                part[:, :n] = shared[0, :, :n]
        return grown
