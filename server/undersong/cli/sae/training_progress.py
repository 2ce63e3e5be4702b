"""How far training is, and what was learnt so far, on stderr: loss, variance explained, L0, dead features."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from undersong.cli.sae.progress import bar, duration

if TYPE_CHECKING:
    from undersong.sae.training.trainer import Progress


class ProgressBar:
    """A few lines, written over themselves on a terminal; else one every half minute."""

    def __init__(self, terminal: bool, every: float = 30.0) -> None:
        self._terminal, self._every, self._last = terminal, every, float("-inf")
        self._lines: list[str] = []
        self._shown = 0

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        self._lines = lines_of(progress)
        if self._terminal:
            self._draw(self._lines)
        elif now - self._last >= self._every or progress.step == progress.steps:
            self._last = now
            print(" | ".join(self._lines), file=sys.stderr, flush=True)

    def filling(self, held: int, of: int) -> None:
        """Called while the model reads and nothing is learnt, which may take minutes."""
        if self._terminal:
            self._draw([*self._lines, f"reading text: {held:,} of {of:,} tokens"])
        elif not self._lines and time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            print(f"reading text: {held:,} of {of:,} tokens", file=sys.stderr, flush=True)

    def close(self) -> None:
        """What comes next stands below."""
        if self._shown:
            print(file=sys.stderr)

    def _draw(self, lines: Sequence[str]) -> None:
        # A line that the terminal breaks in two could not be gone back over.
        room = shutil.get_terminal_size().columns - 1
        up = f"\x1b[{self._shown - 1}A" if self._shown > 1 else ""
        whole = "\x1b[K\n".join(line[:room] for line in lines)
        print(f"\r{up}{whole}\x1b[J", end="", file=sys.stderr, flush=True)
        self._shown = len(lines)


def lines_of(progress: Progress) -> list[str]:
    """█████░░░░░ 12.3/50.0 M tokens, 31,000/s, 20 min left
    loss 1.2, explained 0.81, L0 32.0, 5 dead: NAME         a line an SAE
    """
    sizes = f"{_share(progress.tokens, progress.of_tokens)} tokens, {progress.speed:,.0f}/s"
    learnt = (
        f"loss {told.loss:.4g}, explained {1 - told.unexplained:.3f}, L0 {told.l0:.1f}, {told.dead} dead: {name}"
        for name, told in progress.told.items()
    )
    return [f"{bar(progress.step, progress.steps)} {sizes}, {duration(progress.left)} left", *learnt]


def _share(tokens: int, of: int) -> str:
    return f"{tokens / 1e6:.2f}/{of / 1e6:.2f} M" if of >= 1e6 else f"{tokens:,}/{of:,}"
