"""What the steps of a suggestion tell while it is made; `handlers/write.py` turns them into wire events."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WriteStep:
    """`done` of `total` steps of `stage`."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MoreText:
    """More text of one candidate."""

    candidate: int
    text: str
