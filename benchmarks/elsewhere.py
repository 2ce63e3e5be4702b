"""How busy other programs kept the processor while something was measured."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import psutil


class Elsewhere:
    """Of the cores, how many were busy with other processes than this one and `pids`, since it was made or asked."""

    def __init__(self, pids: Sequence[int] = ()) -> None:
        self._ours = [psutil.Process(pid) for pid in (os.getpid(), *pids)]
        self._at, self._busy = time.monotonic(), self._counted()

    def cores(self) -> float:
        before, busy = self._at, self._busy
        self._at, self._busy = time.monotonic(), self._counted()
        return max(0.0, (self._busy - busy) / max(self._at - before, 1e-9))

    def _counted(self) -> float:
        """Seconds of all cores that were not ours and not idle, since the machine began."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
        # A guest's time is counted in the user's already.
        guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
        ours = sum(sum(process.cpu_times()[:2]) for process in self._ours)
        return sum(times) - idle - guests - ours
