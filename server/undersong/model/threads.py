"""How many threads torch computes with: as many as there are cores that nobody else uses (docs/decisions/0005)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.25
"""A machine counts in hundredths of a second: shorter than this, rounding would be most of what is found."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the processor has spent by the time `at`. In seconds; `busy`: of all cores together, `own`: this process."""

    at: float
    busy: float
    own: float


def look() -> Look:
    """As it is now. OSError or psutil.Error where the system does not tell."""
    # A guest's time is counted in the user's already. What other machines stole from a virtual one counts as busy.
    resting = ("idle", "iowait", "guest", "guest_nice")
    each, ours = psutil.cpu_times(percpu=True), own_cores()
    times = [each[core] for core in ours if core < len(each)]
    busy = sum(sum(core) - sum(getattr(core, name, 0.0) for name in resting) for core in times)
    return Look(time.monotonic(), busy, time.process_time())


def own_cores() -> list[int]:
    """The numbers of the cores that this process may run on: all, where the system does not restrict it or tell."""
    affinity = getattr(psutil.Process(), "cpu_affinity", None)
    return list(range(psutil.cpu_count() or 1)) if affinity is None else affinity()


def idle_cores(cores: int, before: Look, now: Look) -> float:
    """Of so many cores, those that no other process used between two looks: `cores` where no time has passed."""
    elapsed = now.at - before.at
    if elapsed <= 0:
        return cores
    elsewhere = (now.busy - before.busy) - (now.own - before.own)
    return min(cores, max(0.0, cores - elsewhere / elapsed))


def count(most: int, idle: float) -> int:
    """Threads for so many idle cores, rounded: 1 to `most`."""
    return max(1, min(most, math.floor(idle + 0.5)))


class Threads:
    """Keeps torch's threads, `most` of them, to the cores that are idle. On the thread that computes."""

    def __init__(self, most: int, cores: int | None = None, look: Callable[[], Look] = look) -> None:
        """`cores`: those that this process may use, logical ones; None: as the system says."""
        self._most, self._cores, self._look = most, cores or len(own_cores()), look
        self._before = self._looked()
        self._set(most)

    def keep(self) -> None:
        """Look, if the last look is long enough ago, and compute with as many threads from now on. Raises nothing."""
        before = self._before
        if self._most == 1 or before is None or time.monotonic() - before.at < SECONDS_BETWEEN_LOOKS:
            return
        self._before = self._looked()
        if self._before is not None:
            self._set(count(self._most, idle_cores(self._cores, before, self._before)))

    def _set(self, n: int) -> None:
        # Asked of torch, not remembered: steps of a light model set it, too (`one_thread`).
        if n != torch.get_num_threads():
            torch.set_num_threads(n)

    def _looked(self) -> Look | None:
        """None, with a warning, where the system does not tell: then it stays as it is."""
        try:
            return self._look()
        except (OSError, psutil.Error) as error:
            logger.warning("how busy the processor is cannot be told: as many threads compute as now: %s", error)
            return None


@contextmanager
def one_thread() -> Iterator[None]:
    """While active one thread computes: for operations so short that waking a second one takes longer than they do.

    torch counts them for each thread that computes; the engine has one.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
