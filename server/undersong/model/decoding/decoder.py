"""Decoders: one token a row through a network, for several requests at once, without the overhead of its forward.

transformers' own forward spends most of a small model's step in Python around its operations: masks, caches,
decorators. A decoder computes the same from the same weights, and is used only where it was proved to give the
network's own logits (__init__.py). Steering acts on the stream between blocks, and between attention and MLP
(interventions.Steering.passes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from undersong.model.interventions import Steering

Held = tuple[Tensor, Tensor]


class Rows(Protocol):
    """What the blocks hold for `count` rows that go on, token by token, from one prefix; all are equally long."""

    @property
    def count(self) -> int: ...

    @property
    def length(self) -> int:
        """Tokens that each row has keys and values of, in every block."""
        ...

    def take_back(self) -> None:
        """Forget the last token. ValueError where only the prefix is left."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one request feeds: a token a row, `ids` [rows], after what `rows` hold, steered by `steering`."""

    ids: Tensor
    rows: Rows
    steering: Steering


class Decoder(Protocol):
    @property
    def on_one_thread(self) -> bool:
        """Whether one thread decodes as fast as several."""
        ...

    @property
    def nbytes(self) -> int:
        """Memory held beside the network's own weights, in bytes."""
        ...

    def rows(self, prefix: Sequence[Held], n: int, count: int) -> Rows:
        """`count` rows after the first `n` tokens of `prefix`: of each block keys and values
        [1, n_kv_heads, n or more, d_head], which are never written into."""
        ...

    def step(self, parts: Sequence[Part]) -> list[Tensor]:
        """Of each part the logits [rows, vocab] after one more token a row; its rows grow by it.

        Weights are read once for all parts, whatever stands before them and however long that is.
        """
        ...
