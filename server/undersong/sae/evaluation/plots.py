"""Plots as SVG text: histograms, scatter and bars. Colours come from the page's CSS (classes bar, dot, axis, label)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 12, 26, 40
_ROOM_X, _ROOM_Y = WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class Bin:
    low: float
    high: float
    count: int


def binned(values: Sequence[float], low: float, high: float, bins: int = 30) -> list[Bin]:
    """The finite `values` counted in `bins` of one width, those outside low..high in the outermost."""
    counts = [0] * bins
    for value in values:
        if math.isfinite(value):
            counts[min(bins - 1, max(0, int((value - low) / (high - low) * bins)))] += 1
    wide = (high - low) / bins
    return [Bin(low + n * wide, low + (n + 1) * wide, count) for n, count in enumerate(counts)]


def histogram(title: str, axis: str, bins: Sequence[Bin]) -> str:
    most = max(each.count for each in bins) or 1
    across = _Scale(bins[0].low, bins[-1].high, _LEFT, _LEFT + _ROOM_X)
    up = _Scale(0, most, HEIGHT - _BOTTOM, _TOP)
    bars = [
        f'<rect class="bar" x="{across.at(each.low):.1f}" y="{up.at(each.count):.1f}" '
        f'width="{across.at(each.high) - across.at(each.low) - 1:.1f}" '
        f'height="{up.at(0) - up.at(each.count):.1f}"><title>{each.count}</title></rect>'
        for each in bins
        if each.count
    ]
    return _figure(title, axis, "features", across, up, bars)


def scatter(title: str, x_axis: str, y_axis: str, points: Sequence[Point]) -> str:
    """Labelled dots, and a line through those that no other one beats at less x. Nothing to see without a point."""
    across = _around([point.x for point in points], _LEFT, _LEFT + _ROOM_X)
    up = _around([point.y for point in points], HEIGHT - _BOTTOM, _TOP)
    dots = [
        f'<circle class="dot" cx="{across.at(p.x):.1f}" cy="{up.at(p.y):.1f}" r="4">'
        f"<title>{escape(p.label)}: {p.x:.4g}, {p.y:.4g}</title></circle>"
        + _beside(across.at(p.x), up.at(p.y) - 5, p.label)
        for p in points
    ]
    line = " ".join(f"{across.at(p.x):.1f},{up.at(p.y):.1f}" for p in front(points))
    return _figure(title, x_axis, y_axis, across, up, [f'<polyline class="front" points="{line}"/>', *dots])


def front(points: Sequence[Point]) -> list[Point]:
    """Those of which no other has as little x and as much y: the Pareto front, by x."""
    found: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not found or point.y > found[-1].y:
            found.append(point)
    return found


def _beside(x: float, y: float, label: str) -> str:
    """`label` on the side of x that has room."""
    left = x > _LEFT + _ROOM_X / 2
    anchor, at = ("end", x - 6) if left else ("start", x + 6)
    return f'<text class="label" text-anchor="{anchor}" x="{at:.1f}" y="{y:.1f}">{escape(label)}</text>'


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    stop: float

    def at(self, value: float) -> float:
        return self.start + (value - self.low) / ((self.high - self.low) or 1) * (self.stop - self.start)


def _around(values: Sequence[float], start: float, stop: float) -> _Scale:
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.1 or abs(high) * 0.1 or 1.0
    return _Scale(low - room, high + room, start, stop)


def _figure(title: str, x_axis: str, y_axis: str, across: _Scale, up: _Scale, inside: Sequence[str]) -> str:
    ticks: list[str] = []
    for n in range(5):
        x = across.low + n / 4 * (across.high - across.low)
        y = up.low + n / 4 * (up.high - up.low)
        below = HEIGHT - _BOTTOM + 14
        ticks.append(
            f'<text class="label" text-anchor="middle" x="{across.at(x):.1f}" y="{below}">{x:.3g}</text>'
            f'<text class="label" text-anchor="end" x="{_LEFT - 6}" y="{up.at(y) + 4:.1f}">{y:.3g}</text>'
            f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{up.at(y):.1f}" y2="{up.at(y):.1f}"/>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'<text class="title" x="{_LEFT}" y="16">{escape(title)}</text>{"".join(ticks)}{"".join(inside)}'
        f'<text class="label" text-anchor="middle" x="{_LEFT + _ROOM_X / 2}" y="{HEIGHT - 6}">{escape(x_axis)}</text>'
        f'<text class="label" text-anchor="middle" transform="rotate(-90)" x="{-(_TOP + _ROOM_Y / 2)}" y="11">'
        f"{escape(y_axis)}</text></svg>"
    )
