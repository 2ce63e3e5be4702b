"""What an engine holds in memory, and the budget for it: caches give way, the least recently used first.

`held` is the weights and the process with all its libraries (`fixed`, which cannot give way) and what the caches hold.
Whoever kept something more calls `settle`. Where `held` is above the budget then, the piece that was used longest ago
goes, whichever cache it is in, then the next. Where nothing is left to go, what is asked for does not fit: the request
is refused with OutOfMemory, and the engine lives on.

What a request has in hand while it runs (a fork that candidates are written in, a batch of runs) is no cache, and goes
with the request; the process' size in the status has it.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Protocol

from undersong.errors import OutOfMemory

MB = 1_000_000
ROOM = 512 << 20
"""Bytes for caches, unless something else is asked for."""
SHARE = 4
"""Caches take this part of the machine's memory at most, unless more is asked for: a quarter."""
WINDOWS = 8
"""Whole windows that there is room for in any case, within that."""


class Cache(Protocol):
    """Keeps what can be had again. Used on the device thread only."""

    @property
    def nbytes(self) -> int:
        """Bytes held, roughly."""
        ...

    @property
    def last_used(self) -> int | None:
        """When the piece that would go first was last used (Memory.now); None where none can go."""
        ...

    def give_way(self) -> None:
        """Let that piece go."""
        ...


class Memory:
    """`most`: the budget, `weights` and `fixed`: of it the weights, and all that cannot give way. In bytes."""

    def __init__(self, most: int = ROOM, fixed: int = 0, weights: int = 0) -> None:
        self.most, self.fixed, self.weights = most, fixed, weights
        self.in_caches = 0
        """As it was when something was kept last: for other threads, too."""
        self._caches: weakref.WeakSet[Cache] = weakref.WeakSet()
        self._clock = itertools.count()

    def watch(self, cache: Cache) -> None:
        """It gives way from now on, as long as somebody has it."""
        self._caches.add(cache)

    def now(self) -> int:
        """Later than before, each time."""
        return next(self._clock)

    @property
    def held(self) -> int:
        self.in_caches = sum(cache.nbytes for cache in self._caches)
        return self.fixed + self.in_caches

    def settle(self) -> bool:
        """Keep to the budget; False where what is left cannot give way and does not fit."""
        while self.held > self.most:
            ages = [(used, cache) for cache in self._caches if (used := cache.last_used) is not None]
            if not ages:
                return False
            min(ages, key=lambda aged: aged[0])[1].give_way()
        return True

    def refusal(self) -> OutOfMemory:
        """Where `settle` was False."""
        fixed = f"{self.fixed / MB:.0f} MB of them are the weights and the process itself"
        return OutOfMemory(
            f"not enough memory for this request: the budget is {self.most / MB:.0f} MB (engine.memory_mb)"
            f"{', ' + fixed if self.fixed else ''}; the engine goes on"
        )


def budget(asked_mb: int, fixed: int, machine: int, window: int) -> int:
    """Bytes, `fixed` among them. `asked_mb` 0: with room for caches that is sane for a machine of so many bytes and a
    model of which one whole `window` takes so many."""
    if asked_mb:
        return asked_mb * MB
    return fixed + min(machine // SHARE, max(ROOM, WINDOWS * window))
