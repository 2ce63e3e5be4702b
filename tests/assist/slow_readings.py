"""What is held of each paragraph, one by one: the reference of `assist/readings.py`."""

from __future__ import annotations

from dataclasses import replace

from undersong import wire
from undersong.assist.background import surprise
from undersong.assist.readings import Held, moved
from undersong.text.segments import Segments, diff

Row = tuple[Held | None, ...]


def stale(held: Row) -> tuple[int, ...]:
    return tuple(index for index, one in enumerate(held) if one is None or not one.fresh)


def rebased(held: Row, old: Segments, new: Segments) -> Row:
    splice = diff(old, new)
    start, removed, inserted = splice.start, splice.removed, splice.inserted
    if not removed and not inserted:
        return held
    edited = tuple(
        _moved(held[start + at], old.paragraphs[start + at].prose, prose, start + at) if at < removed else None
        for at, prose in enumerate(inserted)
    )
    shift = len(inserted) - removed
    return held[:start] + edited + tuple(_doubted(one, shift) for one in held[start + removed :])


def merged(held: Row, reply: wire.ReadReply, read: Segments, now: Segments) -> Row:
    answered = {reading.index: reading for reading in reply.readings if reading.index < len(read.paragraphs)}
    pending = frozenset(reply.pending)
    told = rebased(
        tuple(
            Held(answered[index], fresh=index not in pending) if index in answered else None
            for index in range(len(read.paragraphs))
        ),
        read,
        now,
    )
    splice = diff(read, now)
    certain = splice.start if splice.removed or splice.inserted else len(now.paragraphs)
    return tuple(
        new if new is not None else _confirmed(one, index < certain and index not in pending)
        for index, (one, new) in enumerate(zip(held, told, strict=True))
    )


def totals(held: Row) -> tuple[dict[str, float], int]:
    """The surprise of each feature over the paragraphs read, and how many those are."""
    found: dict[str, float] = {}
    read = [one.reading for one in held if one is not None]
    for reading in read:
        for name, value in {one.feature: surprise(one.presence) for one in reading.features}.items():
            found[name] = found.get(name, 0.0) + value
    return found, len(read)


def _confirmed(held: Held | None, certain: bool) -> Held | None:
    return Held(held.reading, fresh=True) if held is not None and certain else held


def _doubted(held: Held | None, shift: int) -> Held | None:
    return None if held is None else Held(replace(held.reading, index=held.reading.index + shift), fresh=False)


def _moved(held: Held | None, old: str, new: str, index: int) -> Held | None:
    return None if held is None else Held(moved(held.reading, old, new, index), fresh=False)
