"""A paragraph's features in one short line: `the sea ▃ · grief ▂`, cut to a number of cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from undersong.assist.cells import fitted, width
from undersong.assist.phrases import bar
from undersong.assist.salience import Salient

SEPARATOR = " · "
SHORTEST_NAME = 6


@dataclass(frozen=True, slots=True)
class Labelled:
    """The text of one feature, bar included."""

    text: str
    feature: str


def labelled(features: Sequence[Salient], cells: int) -> tuple[Labelled, ...]:
    """As many features as fit with their separators, in order. Names are shortened before one is left out."""
    named = tuple((one.reading.feature, one.reading.name, bar(one.reading.presence)) for one in features)
    return _labelled(named, cells)


# Every paragraph of a draft is labelled at each keystroke, nearly all of them as before.
@lru_cache(maxsize=4096)
def _labelled(named: tuple[tuple[str, str, str], ...], cells: int) -> tuple[Labelled, ...]:
    """named: id, name, bar"""
    shown: list[Labelled] = []
    for feature, name, mark in named:
        gap = width(SEPARATOR) if shown else 0
        room = cells - gap - 2  # the bar and the space before it
        if width(name) > room and room < min(SHORTEST_NAME, width(name)):
            break
        name = fitted(name, room)
        shown.append(Labelled(f"{name} {mark}", feature))
        cells -= gap + width(name) + 2
    return tuple(shown)
