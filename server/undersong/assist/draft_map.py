"""The draft at a glance: paragraphs down, features across, each cell how much of the feature the paragraph carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from undersong import wire
from undersong.assist.draft import NOT_SHOWN, Draft
from undersong.assist.pins import known, listed
from undersong.assist.salience import Background, salient
from undersong.text.span import Span

SALIENT = 12
"""Of one paragraph: how many of its features are counted."""


@dataclass(frozen=True, slots=True)
class Column:
    feature: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """`read`: whether it has a reading. `presence`: one for each column; None where that does not list the feature."""

    span: Span
    read: bool
    presence: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class DraftMap:
    """`pending`: how many of the rows have no reading, or one from before the last change."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    pending: int


@dataclass(frozen=True, slots=True)
class Foremost:
    """A feature that stands out in the draft; `strongest` in the paragraph of index `paragraph`."""

    feature: str
    name: str
    strongest: float
    paragraph: int
    steers: bool | None


def draft_map(draft: Draft, limit: int) -> DraftMap:
    """At most `limit` columns: the pins in their order, then what adds up to most over the draft.

    Headings are no rows: they are read as context only.
    """
    readings, settings = known(draft), draft.settings
    pins = [Column(*_named(pin.name, readings)) for pin in settings.features]
    others = [
        Column(one.feature, one.name) for one in foremost(draft) if settings.pin_for(one.feature, one.name) is None
    ]
    columns = tuple({column.feature: column for column in (*pins, *others)}.values())[:limit]
    rows: list[Row] = []
    pending = 0
    for index, paragraph in enumerate(draft.segments.paragraphs):
        if paragraph.kind in NOT_SHOWN:
            continue
        held = draft.readings.at(index)
        pending += held is None or not held.fresh
        features = () if held is None else held.reading.features
        found = (listed(features, column.feature) for column in columns)
        presence = tuple(None if one is None else one.presence for one in found)
        rows.append(Row(paragraph.span, held is not None, presence))
    return DraftMap(columns, tuple(rows), pending)


def _named(pin: str, readings: Mapping[str, wire.FeatureReading]) -> tuple[str, str]:
    """Its id and name; as the settings have it, twice, where no reading tells of it."""
    found = readings.get(pin)
    return (pin, pin) if found is None else (found.feature, found.name)


def foremost(draft: Draft) -> tuple[Foremost, ...]:
    """What stands out in some paragraph, first what adds up to most over the draft."""
    background = Background.of(draft.readings)
    found: dict[str, Foremost] = {}
    for index in range(len(draft.readings.said)):
        for one in salient(draft, index, SALIENT, background):
            reading = one.reading
            best = found.get(reading.feature)
            if best is None or reading.presence > best.strongest:
                found[reading.feature] = Foremost(
                    reading.feature, reading.name, reading.presence, index, reading.steers
                )
    return tuple(sorted(found.values(), key=lambda one: (-background.totals[one.feature], one.feature)))
