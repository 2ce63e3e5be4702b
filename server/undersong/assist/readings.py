"""What is known of each paragraph, carried through edits until the engine answers anew.

An edit never loses a reading: the paragraphs before it keep theirs as they are; those after it keep theirs too,
but stale, since a causal model may read them differently now; those edited keep the old one, stale, with its spans
moved to where the text went. The next reply says which are still true (all that it does not call pending).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from undersong import wire
from undersong.text.common import common_prefix, common_suffix
from undersong.text.segments import Segments, diff


@dataclass(frozen=True, slots=True)
class Held:
    """The last reading of a paragraph; its spans count in the paragraph's present prose."""

    reading: wire.ParagraphReading
    fresh: bool


@dataclass(frozen=True, slots=True, eq=False)
class DraftReadings:
    """One entry for each paragraph of some Segments; None: never read.

    Compared by identity, so that what is computed from all of a draft's readings can be kept with them.
    """

    paragraphs: tuple[Held | None, ...] = ()

    @classmethod
    def empty(cls, segments: Segments) -> DraftReadings:
        return cls((None,) * len(segments.paragraphs))

    def at(self, index: int) -> Held | None:
        return self.paragraphs[index] if 0 <= index < len(self.paragraphs) else None

    @property
    def stale(self) -> tuple[int, ...]:
        """The paragraphs without a fresh reading, in document order."""
        return tuple(index for index, held in enumerate(self.paragraphs) if held is None or not held.fresh)

    def rebased(self, old: Segments, new: Segments) -> DraftReadings:
        """These readings of `old` as readings of `new`."""
        splice = diff(old, new)
        start, removed, inserted = splice.start, splice.removed, splice.inserted
        if not removed and not inserted:
            return self
        before = self.paragraphs[:start]
        # Paragraphs of the splice are paired in order: a split keeps the reading with its first part.
        edited = tuple(
            _moved(self.paragraphs[start + at], old.paragraphs[start + at].prose, prose, start + at)
            if at < removed
            else None
            for at, prose in enumerate(inserted)
        )
        shift = len(inserted) - removed
        after = tuple(_doubted(held, shift) for held in self.paragraphs[start + removed :])
        return DraftReadings(before + edited + after)

    def merged(self, reply: wire.ReadReply, read: Segments, now: Segments) -> DraftReadings:
        """These readings (of `now`) with a reply about `read`, the segments of the version it names.

        A paragraph that the reply neither holds nor calls pending is fresh: the client has its present reading.
        """
        answered = {reading.index: reading for reading in reply.readings if reading.index < len(read.paragraphs)}
        pending = frozenset(reply.pending)
        told = DraftReadings(
            tuple(
                Held(answered[index], fresh=index not in pending) if index in answered else None
                for index in range(len(read.paragraphs))
            )
        ).rebased(read, now)
        # Only what stands before every later edit is surely still what the engine read.
        splice = diff(read, now)
        certain = splice.start if splice.removed or splice.inserted else len(now.paragraphs)
        return DraftReadings(
            tuple(
                new if new is not None else _confirmed(held, index < certain and index not in pending)
                for index, (held, new) in enumerate(zip(self.paragraphs, told.paragraphs, strict=True))
            )
        )


def _confirmed(held: Held | None, certain: bool) -> Held | None:
    return Held(held.reading, fresh=True) if held is not None and certain else held


def _doubted(held: Held | None, shift: int) -> Held | None:
    """The same prose, maybe at another index, after text that changed."""
    if held is None:
        return None
    return Held(replace(held.reading, index=held.reading.index + shift) if shift else held.reading, fresh=False)


def _moved(held: Held | None, old: str, new: str, index: int) -> Held | None:
    """A reading of `old` prose laid over `new`: what follows the edit moves, what lies in it shrinks to its rim."""
    if held is None:
        return None
    prefix = common_prefix(old, new)
    rest = min(len(old), len(new)) - prefix
    suffix = min(rest, common_suffix(old, new, len(old), len(new)))
    old_end, new_end = len(old) - suffix, len(new) - suffix
    shift = new_end - old_end

    def moved(start: int, end: int) -> tuple[int, int]:
        start = start + shift if start >= old_end else start if start <= prefix else new_end
        end = end if end <= prefix else end + shift if end >= old_end else prefix
        return (start, end) if start <= end else (prefix, prefix)

    def feature(reading: wire.FeatureReading) -> wire.FeatureReading:
        start, end = moved(reading.peak_start, reading.peak_end)
        return replace(reading, peak_start=start, peak_end=end)

    def sentence(reading: wire.SentenceReading) -> wire.SentenceReading:
        return wire.SentenceReading(*moved(reading.start, reading.end), tuple(map(feature, reading.features)))

    reading = replace(
        held.reading,
        index=index,
        features=tuple(map(feature, held.reading.features)),
        sentences=tuple(one for one in map(sentence, held.reading.sentences) if one.start < one.end),
    )
    return Held(reading, fresh=False)
