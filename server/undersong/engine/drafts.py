"""The drafts that clients have open, kept in step by splices. Plain Python: no tensor is touched here.

Each client names its documents itself, so the same file open twice never mixes. A draft knows its outline and, for
every paragraph, the key of the reading that this client was last sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from undersong.engine.outlines import NOTHING, Outline, Outliner
from undersong.errors import BadText, Resync, Superseded
from undersong.wire import DraftUpdate, ParagraphReading, ReadReply

MAX_DRAFTS = 64
"""An editor that was killed never closes its drafts. One that is still open and was forgotten is sent anew (Resync)."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """What this client was sent of a paragraph: the reading's key, in the reply of that serial."""

    key: bytes
    serial: int


class Draft:
    """One open document of one client."""

    def __init__(self, outliner: Outliner) -> None:
        self._outliner = outliner
        self._sent: list[_Sent | None] = []
        self._pending: set[int] = set()
        self._serial = 0
        self.outline = NOTHING

    def apply(self, update: DraftUpdate) -> None:
        """Bring to `update.version`. Raises Resync when the base is not held, BadText when the splice does not fit.

        Either it is applied whole, or the draft is as it was.
        """
        whole = update.base_version is None
        if not whole and update.base_version != self.outline.version:
            raise Resync(f"expected base version {self.outline.version}, found {update.base_version}")
        old = NOTHING if whole else self.outline
        splice = update.splice
        start, end = splice.start, splice.start + splice.removed
        if not 0 <= start <= end <= len(old.passages):
            raise BadText(f"splice {start}:{end} does not fit a draft of {len(old.passages)} paragraphs")
        if not whole and splice.removed == 0 and not splice.inserted:
            self.outline = replace(self.outline, version=update.version)
            return
        inserted = tuple(map(self._outliner.reader.read, splice.inserted))
        self.outline, changed = self._outliner.spliced(old, update.version, start, splice.removed, inserted)
        if whole:
            self._sent, self._pending = [], set()
        self._sent[start:end] = [None] * len(inserted)
        moved = len(inserted) - splice.removed
        if moved or splice.removed:
            self._pending = {p if p < end else p + moved for p in self._pending if not start <= p < end}
        self._pending.update(range(start, start + len(inserted)))
        for paragraph in changed:
            self._look_at(paragraph)

    def received(self, serial: int) -> None:
        """The client had no reply after that one: what was sent later is not there (it had cancelled)."""
        if serial >= self._serial:
            return
        for paragraph, sent in enumerate(self._sent):
            if sent is not None and sent.serial > serial:
                self._sent[paragraph] = None
                self._pending.add(paragraph)

    def reply(self, outline: Outline, readings: tuple[ParagraphReading, ...]) -> ReadReply:
        """The answer to a read of `outline`, noted as sent. Superseded if the paragraphs are others by now."""
        if self.outline.passages is not outline.passages:
            raise Superseded("the draft changed while it was read")
        # Later than any before, also than those of an engine that ran before this one.
        self._serial = max(self._serial + 1, time.time_ns() // 1000)
        for reading in readings:
            self._sent[reading.index] = _Sent(outline.paragraph_key(reading.index), self._serial)
            self._look_at(reading.index)
        return ReadReply(outline.version, readings, self.pending(), self._serial)

    def pending(self) -> tuple[int, ...]:
        """Paragraphs whose present reading this client does not hold, in order."""
        return tuple(sorted(self._pending))

    def _look_at(self, paragraph: int) -> None:
        """Whether a paragraph, whose key or what was sent of it may be another, is pending: to look at every one for
        each reply would cost the draft's length."""
        sent = self._sent[paragraph]
        if sent is not None and sent.key == self.outline.paragraph_key(paragraph):
            self._pending.discard(paragraph)
        else:
            self._pending.add(paragraph)


class Drafts:
    """The open drafts by the client's name for them, the least recently used first. Lives on the event loop."""

    def __init__(self, outliner: Outliner) -> None:
        self._outliner = outliner
        self._drafts: OrderedDict[str, Draft] = OrderedDict()
        self._turns: dict[str, _Turn] = {}

    async def update(self, update: DraftUpdate) -> Draft:
        """Apply one update; those of one document in the order they came. A long draft does not hold up the loop."""
        name = update.document
        async with self._turn(name):
            if update.base_version is not None and name not in self._drafts:
                raise Resync(f"no draft named {name} is open here")
            for number, prose in enumerate(update.splice.inserted):
                self._outliner.reader.read(prose)
                if number % 16 == 15:
                    await asyncio.sleep(0)
            draft = self._drafts.get(name) or Draft(self._outliner)
            draft.apply(update)
            self._drafts[name] = draft
            self._drafts.move_to_end(name)
            while len(self._drafts) > MAX_DRAFTS:
                self._drafts.popitem(last=False)
            return draft

    async def close(self, document: str) -> None:
        """Forget a draft, after the updates that came before."""
        async with self._turn(document):
            self._drafts.pop(document, None)

    @asynccontextmanager
    async def _turn(self, document: str) -> AsyncIterator[None]:
        turn = self._turns.setdefault(document, _Turn(asyncio.Lock()))
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[document]


@dataclass(slots=True)
class _Turn:
    """Who updates a document now, and how many hold or wait for it."""

    lock: asyncio.Lock
    users: int = 0
