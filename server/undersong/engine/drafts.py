"""The drafts that clients have open, kept in step by splices. Plain Python: no tensor is touched here.

Each client names its documents itself, so the same file open twice never mixes. A draft knows its paragraphs, its
windows and, for every paragraph, the key of the reading that this client was last sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from undersong.engine.passages import Atom, Passage, PassageReader
from undersong.engine.windows import Limits, Window, cut, keys
from undersong.errors import BadText, Resync, Superseded
from undersong.wire import DraftUpdate, ParagraphReading, ReadReply

MAX_DRAFTS = 64
"""An editor that was killed never closes its drafts. One that is still open and was forgotten is sent anew (Resync)."""


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """One version of a draft as the model will read it. Immutable: a running job keeps the version it began with.

    `firsts[p]:firsts[p + 1]` are the atoms of paragraph p; `homes[a]` is the window whose body holds atom a;
    `keys[a]` the hash of all that the model sees up to the end of atom a.
    """

    version: int
    passages: tuple[Passage, ...]
    atoms: tuple[Atom, ...]
    firsts: tuple[int, ...]
    windows: tuple[Window, ...]
    homes: tuple[int, ...]
    keys: tuple[bytes, ...]

    def paragraph_atoms(self, paragraph: int) -> range:
        return range(self.firsts[paragraph], self.firsts[paragraph + 1])

    def paragraph_key(self, paragraph: int) -> bytes:
        return b"".join(self.keys[atom] for atom in self.paragraph_atoms(paragraph))


class Outliner:
    """Makes outlines; a window whose atoms are unchanged keeps its keys without hashing anew."""

    def __init__(self, reader: PassageReader, limits: Limits, fingerprint: bytes) -> None:
        self.reader, self._limits, self._fingerprint = reader, limits, fingerprint

    def outline(
        self, version: int, passages: tuple[Passage, ...], known: dict[tuple[int, ...], _Keyed]
    ) -> tuple[Outline, dict[tuple[int, ...], _Keyed]]:
        atoms: list[Atom] = []
        firsts = [0]
        for passage in passages:
            atoms.extend(passage.atoms)
            firsts.append(len(atoms))
        windows = cut(atoms, self._limits)
        homes: list[int] = []
        all_keys: list[bytes] = []
        kept: dict[tuple[int, ...], _Keyed] = {}
        for number, window in enumerate(windows):
            seen = tuple(atoms[window.lead : window.end])
            identity = (window.start - window.lead, *map(id, seen))
            keyed = known.get(identity) or _Keyed(seen, keys(atoms, window, self._fingerprint))
            kept[identity] = keyed
            all_keys.extend(keyed.keys)
            homes.extend([number] * (window.end - window.start))
        outline = Outline(version, passages, tuple(atoms), tuple(firsts), windows, tuple(homes), tuple(all_keys))
        return outline, kept


@dataclass(frozen=True, slots=True, eq=False)
class _Keyed:
    """Holds the atoms so that their ids stay theirs."""

    atoms: tuple[Atom, ...]
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Sent:
    """What this client was sent of a paragraph: the reading's key, in the reply of that serial."""

    key: bytes
    serial: int


class Draft:
    """One open document of one client."""

    def __init__(self, outliner: Outliner) -> None:
        self._outliner = outliner
        self._known: dict[tuple[int, ...], _Keyed] = {}
        self._passages: list[Passage] = []
        self._sent: list[_Sent | None] = []
        self._serial = 0
        self.outline = Outline(-1, (), (), (0,), (), (), ())

    def apply(self, update: DraftUpdate) -> None:
        """Bring to `update.version`. Raises Resync when the base is not held, BadText when the splice does not fit.

        Either it is applied whole, or the draft is as it was.
        """
        whole = update.base_version is None
        if not whole and update.base_version != self.outline.version:
            raise Resync(f"expected base version {self.outline.version}, found {update.base_version}")
        length = 0 if whole else len(self._passages)
        splice = update.splice
        end = splice.start + splice.removed
        if not 0 <= splice.start <= end <= length:
            raise BadText(f"splice {splice.start}:{end} does not fit a draft of {length} paragraphs")
        if whole:
            self._passages, self._sent = [], []
        elif splice.removed == 0 and not splice.inserted:
            self.outline = replace(self.outline, version=update.version)
            return
        self._passages[splice.start : end] = map(self._outliner.reader.read, splice.inserted)
        self._sent[splice.start : end] = [None] * len(splice.inserted)
        self.outline, self._known = self._outliner.outline(update.version, tuple(self._passages), self._known)

    def received(self, serial: int) -> None:
        """The client had no reply after that one: what was sent later is not there (it had cancelled)."""
        if serial < self._serial:
            self._sent = [sent if sent is None or sent.serial <= serial else None for sent in self._sent]

    def reply(self, outline: Outline, readings: tuple[ParagraphReading, ...]) -> ReadReply:
        """The answer to a read of `outline`, noted as sent. Superseded if the paragraphs are others by now."""
        if self.outline.passages is not outline.passages:
            raise Superseded("the draft changed while it was read")
        # Later than any before, also than those of an engine that ran before this one.
        self._serial = max(self._serial + 1, time.time_ns() // 1000)
        for reading in readings:
            self._sent[reading.index] = _Sent(outline.paragraph_key(reading.index), self._serial)
        return ReadReply(outline.version, readings, self.pending(), self._serial)

    def pending(self) -> tuple[int, ...]:
        """Paragraphs whose present reading this client does not hold, in order."""
        key = self.outline.paragraph_key
        return tuple(p for p, sent in enumerate(self._sent) if sent is None or sent.key != key(p))


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
