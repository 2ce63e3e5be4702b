"""A set of numbers that is mostly a few runs: the paragraphs after an edit, those still to be read.

What it costs to change one grows with its runs, not with its numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Indices:
    """`runs`: (start, end) of each, ascending, none empty, with a gap between any two."""

    runs: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, numbers: Iterable[int]) -> Indices:
        """In any order."""
        return cls._joined((number, number + 1) for number in sorted(numbers))

    @classmethod
    def between(cls, start: int, end: int) -> Indices:
        return cls(((start, end),)) if start < end else cls()

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.runs, number, key=_start) - 1
        return at >= 0 and number < self.runs[at][1]

    def __iter__(self) -> Iterator[int]:
        """Ascending."""
        return (number for start, end in self.runs for number in range(start, end))

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __or__(self, other: Indices) -> Indices:
        if not self.runs or not other.runs:
            return self if self.runs else other
        return self._joined(sorted((*self.runs, *other.runs)))

    def __sub__(self, other: Indices) -> Indices:
        if not self.runs or not other.runs:
            return self
        left: list[tuple[int, int]] = []
        gone, at = other.runs, 0
        for start, end in self.runs:
            while at < len(gone) and gone[at][1] <= start:
                at += 1
            near = at
            while near < len(gone) and gone[near][0] < end:
                if start < gone[near][0]:
                    left.append((start, gone[near][0]))
                start = gone[near][1]
                near += 1
            if start < end:
                left.append((start, end))
        return Indices(tuple(left))

    def __and__(self, other: Indices) -> Indices:
        return self - (self - other)

    def spliced(self, start: int, removed: int, inserted: int) -> Indices:
        """After start ..< start + removed gave way to `inserted` others, none of which are in the set."""
        kept = self - Indices.between(start, start + removed)
        moved = inserted - removed
        before = ((a, min(b, start)) for a, b in kept.runs if a < start)
        after = ((max(a, start + removed) + moved, b + moved) for a, b in kept.runs if b > start + removed)
        return self._joined((*before, *after))

    @classmethod
    def _joined(cls, runs: Iterable[tuple[int, int]]) -> Indices:
        """Ascending by their starts; they may touch and overlap."""
        found: list[tuple[int, int]] = []
        for start, end in runs:
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
        return cls(tuple(found))


def _start(run: tuple[int, int]) -> int:
    return run[0]
