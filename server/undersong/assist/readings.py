"""What is known of each paragraph, carried through edits until the engine answers anew.

An edit never loses a reading: the paragraphs before it keep theirs as they are; those after it keep theirs too,
but stale, since a causal model may read them differently now; those edited keep the old one, stale, with its spans
moved to where the text went. The next reply says which are still true (all that it does not call pending).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import overload

from undersong import wire
from undersong.assist.indices import Indices
from undersong.text.common import common_prefix, common_suffix
from undersong.text.segments import Difference, Segments, diff


@dataclass(frozen=True, slots=True)
class Held:
    """The last reading of a paragraph; its spans count in the paragraph's present prose."""

    reading: wire.ParagraphReading
    fresh: bool


class DraftReadings:
    """One entry for each paragraph of some Segments; None: never read. Immutable.

    Compared by identity, so that what is computed from all of a draft's readings can be kept with them. An edit makes
    half a draft stale and a reply makes it fresh again: which are is kept beside the readings, not in each.

    Attributes:
        said: the reading of each; its `index` may be that of an earlier version
        stale: the paragraphs without a fresh reading
        lineage: the same object in all that was made of one through edits and replies
    """

    __slots__ = ("_unread", "lineage", "said", "stale")

    def __init__(self, paragraphs: Sequence[Held | None] = ()) -> None:
        self.said = tuple(None if held is None else held.reading for held in paragraphs)
        self.stale = Indices.of(n for n, held in enumerate(paragraphs) if held is None or not held.fresh)
        self._unread = Indices.of(n for n, held in enumerate(paragraphs) if held is None)
        self.lineage = object()

    @classmethod
    def empty(cls, segments: Segments) -> DraftReadings:
        n_paragraphs = len(segments.paragraphs)
        everything = Indices.between(0, n_paragraphs)
        return cls()._next((None,) * n_paragraphs, everything, everything)

    def _next(self, said: tuple[wire.ParagraphReading | None, ...], stale: Indices, unread: Indices) -> DraftReadings:
        made = DraftReadings()
        made.said, made.stale, made._unread, made.lineage = said, stale, unread, self.lineage
        return made

    @property
    def paragraphs(self) -> tuple[Held | None, ...]:
        """Made one by one: for what looks at a whole draft on request, not at every keystroke."""
        return tuple(map(self.at, range(len(self.said))))

    def at(self, index: int) -> Held | None:
        reading = self.said[index] if 0 <= index < len(self.said) else None
        if reading is None:
            return None
        return Held(reading if reading.index == index else replace(reading, index=index), index not in self.stale)

    def fresh_first(self) -> Iterator[wire.ParagraphReading]:
        """Every reading there is; which paragraph each is of is not to be asked of it."""
        everything = Indices.between(0, len(self.said))
        for index in chain(everything - self.stale, self.stale - self._unread):
            reading = self.said[index]
            if reading is not None:
                yield reading

    def carries_other(self, before: DraftReadings) -> bool:
        """Whether some paragraph carries something else than in `before`, of the same paragraphs; that it is fresh
        now is not to be seen."""
        a, b = before.said, self.said
        if a is b:
            return False
        start = common_prefix(a, b)
        end = len(a) - min(common_suffix(a, b, len(a), len(b)), len(a) - start)
        return any(
            (old and old.features) != (new and new.features)
            for old, new in zip(a[start:end], b[start:end], strict=True)
        )

    def doubted(self) -> DraftReadings:
        """The same, all stale."""
        return self._next(self.said, Indices.between(0, len(self.said)), self._unread)

    def rebased(self, old: Segments, new: Segments) -> DraftReadings:
        """These readings of `old` as readings of `new`."""
        splice = diff(old, new)
        start, removed, n_inserted = splice.start, splice.removed, len(splice.inserted)
        if not removed and not n_inserted:
            return self
        # Paragraphs of the splice are paired in order: a split keeps the reading with its first part.
        edited = tuple(
            moved(self.said[start + at], old.proses[start + at], prose, start + at) if at < removed else None
            for at, prose in enumerate(splice.inserted)
        )
        said = self.said[:start] + edited + self.said[start + removed :]
        unread = self._unread.spliced(start, removed, n_inserted)
        unread |= Indices.of(start + at for at, reading in enumerate(edited) if reading is None)
        stale = (self.stale & Indices.between(0, start)) | Indices.between(start, len(said))
        return self._next(said, stale, unread)

    def merged(self, reply: wire.ReadReply, read: Segments, now: Segments) -> DraftReadings:
        """These readings (of `now`) with a reply about `read`, the segments of the version it names.

        A paragraph that the reply neither holds nor calls pending is fresh: the client has its present reading.
        """
        pending, splice = Indices.of(reply.pending), diff(read, now)
        unchanged = not splice.removed and not splice.inserted
        # Only what stands before every later edit is surely still what the engine read.
        certain = len(now.paragraphs) if unchanged else splice.start
        confirmed = Indices.between(0, certain) - pending
        told: dict[int, wire.ParagraphReading] = {}
        for reading in reply.readings:
            then = reading.index
            index = _place_now(then, splice) if 0 <= then < len(read.proses) else None
            if index is not None:
                edited = splice.start <= then < splice.start + splice.removed
                told[index] = moved(reading, read.proses[then], now.proses[index], index) if edited else reading
        said = list(self.said)
        for index, reading in told.items():
            said[index] = reading
        here = Indices.of(told)
        unread = self._unread - here
        # What was told is as fresh as the reply says, whatever it was before.
        stale = ((self.stale | here) - confirmed) | unread
        return self._next(tuple(said) if told else self.said, stale, unread)


def _place_now(index: int, splice: Difference) -> int | None:
    """Where the paragraph of that index is after `splice`; None where it is gone."""
    if index < splice.start:
        return index
    if index < splice.start + splice.removed:
        return index if index - splice.start < len(splice.inserted) else None
    return index + len(splice.inserted) - splice.removed


@overload
def moved(reading: wire.ParagraphReading, old: str, new: str, index: int) -> wire.ParagraphReading: ...
@overload
def moved(reading: wire.ParagraphReading | None, old: str, new: str, index: int) -> wire.ParagraphReading | None: ...
def moved(reading: wire.ParagraphReading | None, old: str, new: str, index: int) -> wire.ParagraphReading | None:
    """A reading of `old` prose laid over `new`: what follows the edit moves, what lies in it shrinks to its rim."""
    if reading is None:
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

    return replace(
        reading,
        index=index,
        features=tuple(map(feature, reading.features)),
        sentences=tuple(one for one in map(sentence, reading.sentences) if one.start < one.end),
    )
