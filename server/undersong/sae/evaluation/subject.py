"""What evaluation asks of a model, so that it needs to know none: undersong.engine.subject answers for transformers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One clean pass over tokens: `read` [n, length, d_in] what the SAE encodes, `held` [n, length, d_out] what it
    rebuilds (the same, but for transcoders), `logits` [n, length, vocab]."""

    read: Tensor
    held: Tensor
    logits: Tensor


class Subject(Protocol):
    """A model, and the place in it where one SAE reads and rebuilds."""

    @property
    def special_ids(self) -> frozenset[int]:
        """Tokens whose positions no figure counts: BOS and its like."""
        ...

    def seen(self, ids: Tensor) -> Seen:
        """A clean pass over `ids` [n, length]."""
        ...

    def logits(self, ids: Tensor, rebuilt: Tensor) -> Tensor:
        """Logits [n, length, vocab] with `rebuilt` [n, length, d_out] in the place of what the SAE rebuilds."""
        ...


def counted(ids: Tensor, special: frozenset[int]) -> Tensor:
    """[n, length] bool: positions that hold no special token."""
    if not special:
        return torch.ones_like(ids, dtype=torch.bool)
    return ~torch.isin(ids, torch.tensor(sorted(special), device=ids.device))
