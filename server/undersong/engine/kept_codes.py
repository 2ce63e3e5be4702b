"""What sentences carry, by the hash of all that the model saw: undo, redo, reopening, other editors come from there."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch

from undersong.engine.memory import Memory
from undersong.hook_points import HookPoint


@dataclass(frozen=True, slots=True, eq=False)
class SparseCodes:
    """Active features of one atom: `features` rising, their `sums`, `peaks`, and the token `where` they peak: [k]."""

    features: torch.Tensor
    sums: torch.Tensor
    peaks: torch.Tensor
    where: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class AtomCodes:
    """What one atom carries. `sparse`: per token-grain SAE; `pooled`: the sum of what passed at a hook point, [d]."""

    sparse: dict[str, SparseCodes]
    pooled: dict[HookPoint, torch.Tensor]
    n_tokens: int

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, roughly."""
        sparse = sum(512 + 24 * len(codes.features) for codes in self.sparse.values())
        return 512 + sparse + sum(tensor.nbytes for tensor in self.pooled.values())


class KeptCodes:
    """A Cache (memory.py)."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._codes: OrderedDict[bytes, tuple[int, AtomCodes]] = OrderedDict()
        """With when they were last used, the least recently used first."""
        self._nbytes = 0
        memory.watch(self)

    def __len__(self) -> int:
        return len(self._codes)

    @property
    def nbytes(self) -> int:
        return self._nbytes

    @property
    def last_used(self) -> int | None:
        return next((used for used, _ in self._codes.values()), None)

    def give_way(self) -> None:
        _, (_, dropped) = self._codes.popitem(last=False)
        self._nbytes -= dropped.nbytes

    def clear(self) -> None:
        self._codes.clear()
        self._nbytes = 0

    def get(self, key: bytes) -> AtomCodes | None:
        found = self._codes.pop(key, None)
        if found is None:
            return None
        self._codes[key] = self._memory.now(), found[1]
        return found[1]

    def keep(self, key: bytes, codes: AtomCodes) -> None:
        # Equal keys are read once, but two jobs may have been reading the same text.
        replaced = self._codes.pop(key, None)
        self._nbytes += codes.nbytes - (0 if replaced is None else replaced[1].nbytes)
        self._codes[key] = self._memory.now(), codes
