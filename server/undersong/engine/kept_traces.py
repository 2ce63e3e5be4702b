"""The last few traces: asked again, they go on from what was measured."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

from undersong.circuits.trace import Trace
from undersong.engine.memory import Memory
from undersong.engine.sizes import of_trace

HELD = 4
"""Traces kept."""


class KeptTraces:
    """A Cache (memory.py)."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._traces: OrderedDict[Hashable, tuple[int, Trace]] = OrderedDict()
        """With when they were last used, the least recently used first."""
        memory.watch(self)

    def __len__(self) -> int:
        return len(self._traces)

    @property
    def nbytes(self) -> int:
        return sum(of_trace(trace) for _, trace in self._traces.values())

    @property
    def last_used(self) -> int | None:
        return next((used for used, _ in self._traces.values()), None)

    def give_way(self) -> None:
        self._traces.popitem(last=False)

    def get(self, key: Hashable) -> Trace | None:
        kept = self._traces.get(key)
        return None if kept is None else kept[1]

    def keep(self, key: Hashable, trace: Trace) -> None:
        self._traces.pop(key, None)
        self._traces[key] = self._memory.now(), trace
        while len(self._traces) > HELD:
            self.give_way()
