"""How far a long run is, and when it will be done, on stderr: one line on a terminal, else one every half minute."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

EVERY, UNWATCHED_EVERY = 0.2, 30.0
"""Seconds between two states of the line on a terminal, and between two lines in a log."""
_BAR = 24


class ProgressLine:
    """Call it with (what, done, of); `close` ends the line. `now` is a clock in seconds."""

    def __init__(self, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._now = stream or sys.stderr, now
        self._watched = self._stream.isatty()
        self._what, self._began, self._from, self._last, self._width = "", now(), 0, -EVERY, 0

    def __call__(self, what: str, done: int, of: int) -> None:
        now = self._now()
        if what != self._what:
            # A run that goes on where another stopped has not done what was done before.
            self._what, self._began, self._from, self._last = what, now, done, now - EVERY
            if not self._watched:
                self._last = now
                self._say(what)
        if self._watched and (now - self._last >= EVERY or done >= of):
            self._last = now
            self._draw(f"{what} {bar(done, of)} {done}/{of}{self._left(now, done, of)}")
        elif not self._watched and now - self._last >= UNWATCHED_EVERY:
            self._last = now
            self._say(f"{what} {done}/{of}{self._left(now, done, of)}")

    def close(self) -> None:
        if self._watched and self._width:
            self._stream.write("\n")
            self._width = 0

    def _left(self, now: float, done: int, of: int) -> str:
        if done <= self._from or done >= of:
            return ""
        return f", {duration((now - self._began) / (done - self._from) * (of - done))} left"

    def _say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def _draw(self, line: str) -> None:
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)


def bar(done: int, of: int) -> str:
    full = _BAR if of <= 0 else min(_BAR, done * _BAR // of)
    return "█" * full + "░" * (_BAR - full)


def duration(seconds: float) -> str:
    """As a person says it: 40 s, 3 min, 2 h 05 min."""
    minutes = round(seconds / 60)
    if seconds < 90:
        return f"{round(seconds)} s"
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
