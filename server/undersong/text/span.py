"""A stretch of text: the only coordinate type above the token level.

Offsets count Unicode code points, as Python's `str` does; spans are half open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Code points `start` up to, not including, `end`. 0 <= start <= end, else ValueError."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"not a span: {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def __bool__(self) -> bool:
        """Always true: `if span` asks whether there is a span, not whether it is empty."""
        return True

    def shift(self, by: int) -> Span:
        return Span(self.start + by, self.end + by)

    def contains(self, offset: int) -> bool:
        """Whether the code point at `offset` is inside; the end is not."""
        return self.start <= offset < self.end

    def covers(self, other: Span) -> bool:
        return self.start <= other.start and other.end <= self.end

    def overlaps(self, other: Span) -> bool:
        """Whether they share at least one code point. An empty span overlaps nothing."""
        return max(self.start, other.start) < min(self.end, other.end)

    def clamp(self, length: int) -> Span:
        """The part of it inside a text of `length` code points."""
        return Span(min(self.start, length), min(self.end, length))


def cover(spans: Iterable[Span]) -> Span:
    """The smallest span that holds all of `spans`; ValueError where there is none."""
    held = tuple(spans)
    if not held:
        raise ValueError("no spans to cover")
    return Span(min(span.start for span in held), max(span.end for span in held))
