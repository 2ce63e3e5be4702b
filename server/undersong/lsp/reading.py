"""One task for each open draft that keeps its readings fresh.

After a change: the paragraph typed in alone, then what the editor shows, then the rest in batches that any newer
change replaces. Each paragraph is asked for once a revision, so an engine that never answers for one is not asked
without end. Where the engine and this front end disagree about the base (`Resync`), the draft is sent whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from itertools import islice

from undersong import errors, wire
from undersong.assist.indices import Indices
from undersong.lsp.clock import Clock
from undersong.lsp.drafts import OpenDraft
from undersong.lsp.link import EngineLink
from undersong.text.span import Span

logger = logging.getLogger(__name__)

BATCH = 8
# Two hundred changes a second (a macro, a paste by chunks) are not two hundred requests.
PACE_SECONDS = 0.05
RETRY_SECONDS = 1.0


class DraftReader:
    """Reads one draft until cancelled. `on_change` is called when something shown may differ."""

    def __init__(self, draft: OpenDraft, link: EngineLink, clock: Clock, on_change: Callable[[], None]) -> None:
        self._draft = draft
        self._link = link
        self._clock = clock
        self._on_change = on_change
        self._wake = asyncio.Event()
        self._wake.set()
        self._advanced = asyncio.Event()
        self._asked: tuple[int, int, set[int]] = (-1, -1, set())
        self._last_request = float("-inf")
        self._in_background = False

    def wake(self) -> None:
        """The text, the view, the settings or the engine changed."""
        self._wake.set()
        self._tell_waiters()

    def rested(self) -> None:
        """Typing has paused. There is nothing new to read, so what is being read goes on."""
        self._tell_waiters()

    def ask_again(self) -> None:
        """The engine or the settings are others: what was asked for may be answered now."""
        self._asked = (-1, -1, set())
        self.wake()

    def look_at(self, span: Span) -> None:
        """The editor shows this now: it comes before what it does not show."""
        self._draft.visible = span
        if self._in_background and self._outstanding_in(span):
            self._wake.set()

    def settled(self, span: Span) -> bool:
        """Whether nothing more will be learnt of what `span` touches, as long as nothing changes."""
        return not self._outstanding_in(span)

    async def advanced(self) -> None:
        """Return after the next reply or change, whichever comes first."""
        await self._advanced.wait()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._read_until_fresh()

    async def _read_until_fresh(self) -> None:
        """Returns when everything is fresh or asked for, or something changed."""
        while not self._wake.is_set():
            if not self._link.ready or self._draft.unread is not None:
                return
            wanted, priority = self._next()
            if not wanted:
                return
            wait = self._last_request + PACE_SECONDS - self._clock.now()
            if wait > 0:
                await self._clock.sleep(wait)
                if self._wake.is_set():
                    return
            await self._read_or_change(wanted, priority)

    async def _read_or_change(self, wanted: tuple[int, ...], priority: wire.Priority) -> None:
        """One request, dropped as soon as something changes: the engine stops it, and the next one is newer."""
        self._in_background = priority == "background"
        reading = asyncio.ensure_future(self._read(wanted, priority))
        changed = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait({reading, changed}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            self._in_background = False
            reading.cancel()
            changed.cancel()
            await asyncio.gather(reading, changed, return_exceptions=True)

    async def _read(self, wanted: tuple[int, ...], priority: wire.Priority) -> None:
        draft = self._draft
        revision, segments = draft.revision, draft.segments
        self._last_request = self._clock.now()
        try:
            client = self._link.client()
            try:
                reply = await client.read(self._request(wanted, priority))
            except errors.Resync:
                draft.forget_engine()
                reply = await client.read(self._request(wanted, priority))
            draft.received = reply.serial
        except errors.Superseded:
            return  # by a request of ours that is newer
        except (errors.EngineUnavailable, errors.EngineLoading):
            # The link will say so presently; until it does, do not ask without end.
            await self._clock.sleep(RETRY_SECONDS)
            return
        except errors.UndersongError as problem:
            logger.warning("Reading failed (%s)", problem.code)
            draft.forget_engine()
            self._asked_for().update(wanted)
            return
        if draft.revision == revision:
            self._asked_for().update(wanted)
        before = draft.readings
        draft.readings = before.merged(reply, segments, draft.segments)
        self._tell_waiters()
        if draft.readings.carries_other(before):
            self._on_change()

    def _request(self, wanted: tuple[int, ...], priority: wire.Priority) -> wire.ReadRequest:
        draft = self._draft
        update = draft.update(self._link.generation)
        return wire.ReadRequest(update, wanted, draft.settings.watch, priority, draft.received)

    def _next(self) -> tuple[tuple[int, ...], wire.Priority]:
        """What to ask for now, and how urgently; nothing when all is fresh or asked for."""
        draft = self._draft
        asked = self._asked_for()
        if draft.typing is not None and draft.typing in draft.readings.stale and draft.typing not in asked:
            return (draft.typing,), "interactive"
        if draft.visible is not None and (shown := self._outstanding_in(draft.visible)):
            return shown, "interactive"
        return _first(index for index in draft.readings.stale if index not in asked), "background"

    def _outstanding_in(self, span: Span) -> tuple[int, ...]:
        """The first paragraphs that touch `span`, are not fresh, and have not been asked for."""
        asked, touching = self._asked_for(), self._draft.segments.paragraphs.touching(span)
        stale = self._draft.readings.stale & Indices.between(touching.start, touching.stop)
        return _first(index for index in stale if index not in asked)

    def _asked_for(self) -> set[int]:
        """The paragraphs asked for at this revision of the draft and of this engine."""
        revision, generation, asked = self._asked
        if (revision, generation) != (self._draft.revision, self._link.generation):
            asked = set[int]()
            self._asked = (self._draft.revision, self._link.generation, asked)
        return asked

    def _tell_waiters(self) -> None:
        self._advanced.set()
        self._advanced = asyncio.Event()


def _first(numbers: Iterable[int]) -> tuple[int, ...]:
    """Of a batch."""
    return tuple(islice(numbers, BATCH))
