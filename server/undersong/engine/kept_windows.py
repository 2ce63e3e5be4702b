"""The windows that were read last: keys, values and activations, to be gone on from.

Several requests may be at it in turns. A window that one of them is extending is not taken by another, nor does it give
way, but to a request that is more urgent: one whose window did not grow between two steps of ours waits for us.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from undersong.engine.memory import Memory
from undersong.model.kv_cache import WindowCache
from undersong.text.common import common_prefix

CHUNK = 128
"""Tokens per step: what the device does between two looks at the agenda."""
WORTH_REUSING = 8
"""A window that shares fewer first tokens than this is read anew rather than cropped: its text serves another place."""
GROWING = 4
"""So many, the last used, may have grown since they were measured: who writes after a window completes it."""

Steps = Generator[None, None, WindowCache]


@dataclass(slots=True, eq=False)
class _Kept:
    """`steps`: how often it was extended; `busy`: somebody is at it."""

    window: WindowCache
    used: int
    nbytes: int = 0
    steps: int = 0
    busy: bool = False


class KeptWindows:
    """A Cache (memory.py). `make`: a new window; `on_read`: told how many tokens the model was run on."""

    def __init__(self, memory: Memory, make: Callable[[], WindowCache], on_read: Callable[[int], None]) -> None:
        self._memory, self._make, self._on_read = memory, make, on_read
        self._kept: list[_Kept] = []
        """The least recently used first."""
        memory.watch(self)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        for kept in self._kept[-GROWING:]:
            kept.nbytes = kept.window.nbytes
        return sum(kept.nbytes for kept in self._kept)

    @property
    def last_used(self) -> int | None:
        return next((kept.used for kept in self._kept if not kept.busy), None)

    def give_way(self) -> None:
        self._kept.remove(next(kept for kept in self._kept if not kept.busy))

    def clear(self) -> None:
        self._kept.clear()

    def reach(self, ids: Sequence[int], whole: bool = False) -> Steps:
        """Steps; returns a window whose first tokens are `ids`, `whole`: with keys and values of all blocks for them.

        Use it before the next step: others crop it, or it gives way. OutOfMemory where it does not fit.
        """
        while True:
            kept = self._nearest(ids)
            kept.busy = True
            try:
                if (yield from self._extended(kept, ids, whole)):
                    return kept.window
            finally:
                kept.busy = False
            if kept in self._kept:
                yield from self._wait_for_others(kept)

    def _extended(self, kept: _Kept, ids: Sequence[int], whole: bool) -> Generator[None, None, bool]:
        """Steps; False where it had to give way, or does not fit while others are at work."""
        window = kept.window
        shared = common_prefix(window.ids, ids)
        if shared < min(window.length, len(ids)):
            window.crop(shared)
        while window.length < len(ids) or (whole and window.completed < len(ids)):
            if window.length < len(ids):
                new = ids[window.length : window.length + CHUNK]
                window.extend(new)
                self._on_read(len(new))
            else:
                window.complete(upto=len(ids), limit=CHUNK)
            kept.steps += 1
            if not self._memory.settle():
                return False
            if window.length < len(ids) or (whole and window.completed < len(ids)):
                yield None
                if kept not in self._kept:
                    return False
        # What was cropped, or completed by others, may fit no longer.
        return self._memory.settle()

    def _wait_for_others(self, kept: _Kept) -> Generator[None, None, None]:
        """One step in which others may come to their end. OutOfMemory where there are none."""
        self._kept.remove(kept)
        others = [(other, other.steps) for other in self._kept if other.busy]
        if not others:
            self._memory.settle()
            raise self._memory.refusal()
        yield None
        for other, steps in others:
            if other.busy and other.steps == steps and other in self._kept:
                self._kept.remove(other)

    def _nearest(self, ids: Sequence[int]) -> _Kept:
        """That which shares the most first tokens, of those that nobody is at; a new one if none is near."""
        best, most = None, min(WORTH_REUSING, len(ids)) - 1
        for kept in self._kept:
            if not kept.busy and (shared := common_prefix(kept.window.ids, ids)) > most:
                best, most = kept, shared
        if best is None:
            best = _Kept(self._make(), 0)
        else:
            self._kept.remove(best)
        best.used = self._memory.now()
        self._kept.append(best)
        return best
