"""All that one editor has open, and what shows it: drafts, their readers, the engine, settings, messages."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from undersong import errors
from undersong.assist.settings import LogSettings, Settings
from undersong.client.protocol import EngineClient
from undersong.garbage import look_through_what_was_let_go
from undersong.lsp import edits as incoming
from undersong.lsp.capabilities import ClientProfile
from undersong.lsp.changes import Changes
from undersong.lsp.clock import Clock
from undersong.lsp.configuration import Configuration
from undersong.lsp.contents import Contents
from undersong.lsp.dial.desk import DialDesk
from undersong.lsp.drafts import OpenDraft
from undersong.lsp.evidence import forget_names, tell_of_names
from undersong.lsp.link import Connect, EngineLink
from undersong.lsp.notices import Notices
from undersong.lsp.pages import Pages
from undersong.lsp.paths import folder_uris
from undersong.lsp.positions import Positions, well_formed
from undersong.lsp.progress import ProgressBars
from undersong.lsp.reading import DraftReader
from undersong.lsp.receipts import KeptReceipts
from undersong.lsp.refresh import Refresher
from undersong.lsp.status import StatusTeller
from undersong.lsp.unread import is_dial_file, why_unread
from undersong.text.document import Document
from undersong.wire import CloseRequest, FeatureCard

if TYPE_CHECKING:
    from undersong.lsp.commands.choosing import Offer
    from undersong.lsp.protocol import UndersongProtocol

logger = logging.getLogger(__name__)

CLOSE_SECONDS = 0.5


class Session:
    """Made with the server; `begin` is called with the params of `initialize`."""

    def __init__(self, protocol: UndersongProtocol, connect: Connect, clock: Clock) -> None:
        self.protocol = protocol
        self.clock = clock
        self.positions = Positions()
        self.notices = Notices(protocol)
        self.bars = ProgressBars(protocol)
        self.refresher = Refresher(protocol, clock)
        self.changes = Changes(protocol, clock)
        self.configuration = Configuration(protocol, self.notices)
        self.dials = DialDesk(self)
        self.configuration.dial_files.shown_in_place = self.dials.shown
        self._teller = StatusTeller(protocol, self.bars)
        self.link = EngineLink(connect, clock, self._link_changed)
        self.pages = Pages()
        self.contents = Contents(protocol)
        self.receipts = KeptReceipts()
        self.cards: dict[str, FeatureCard] = {}
        # What is running on each draft, by its kind and the draft's URI.
        self.works: dict[tuple[str, str], asyncio.Future[Any]] = {}
        # Candidates that clients show, by the id that they were given.
        self.offers: dict[str, Offer] = {}
        self._ids = itertools.count(1)
        self._drafts: dict[str, OpenDraft] = {}
        self._readers: dict[str, tuple[DraftReader, asyncio.Future[Any]]] = {}
        self._pauses: dict[str, asyncio.Future[Any]] = {}
        self._last_link = ("", -1)
        self._reads: tuple[object, ...] | None = None

    @property
    def profile(self) -> ClientProfile:
        return self.protocol.profile

    def begin(self, params: dict[str, Any]) -> None:
        """The client said who it is."""
        self.positions = Positions(self.profile.position_encoding)
        self.configuration.set_folders(folder_uris(params))
        if params.get("initializationOptions") is not None:
            self.configuration.set_options(params["initializationOptions"])

    async def connect(self) -> None:
        """The client is ready to be asked: pull its settings, then find an engine."""
        await self.pull_settings()

    async def end(self) -> None:
        """Stop all work and detach from the engine."""
        for uri in list(self._drafts):
            self._stop(uri)
        for work in self.works.values():
            work.cancel()
        self.pages.close()
        try:
            await asyncio.wait_for(self.link.close(), CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("The engine did not let go in time")
        await self.receipts.close()

    # --- drafts ------------------------------------------------------------------------------------------------

    def draft(self, uri: str) -> OpenDraft | None:
        return self._drafts.get(uri)

    @property
    def drafts(self) -> tuple[OpenDraft, ...]:
        """All that is open."""
        return tuple(self._drafts.values())

    def open(self, uri: str, language: str, version: int, text: str) -> None:
        document = Document.open(uri, language, version, well_formed(text))
        draft = self._drafts.get(uri)
        if draft is not None:
            logger.warning("A draft was opened twice; its text is taken anew")
            draft.replaced(document)
            self._changed(draft)
            self.dials.changed(uri)
            return
        settings = self.settings_of(uri)
        draft = OpenDraft(document, settings, self._why_unread(settings, document))
        draft.on_standing = lambda: self.changes.note(uri, "receipts")
        self._drafts[uri] = draft
        self.dials.opened(uri)
        self._check_names()
        reader = DraftReader(draft, self.link, self.clock, lambda: self._read(draft))
        task = self.protocol.spawn("reading", reader.run())
        self._readers[uri] = (reader, task)
        if self.profile.configuration:
            self.protocol.spawn("configuration", self.pull_settings(uri))

    def change(self, uri: str, version: int, changes: list[types.TextDocumentContentChangeEvent]) -> None:
        draft = self._drafts.get(uri)
        if draft is None:
            logger.warning("A change of a draft that is not open was left out")
            return
        if version <= draft.document.version:
            logger.warning("The version of a draft went from %d to %d", draft.document.version, version)
        found = incoming.edits(self.positions, draft.document, changes, version)
        draft.edited(found.edits, found.document, self.clock.now())
        if draft.unread is None or len(found.document.text) <= draft.settings.reading.maximum_characters:
            unread = self._why_unread(draft.settings, found.document)
            if (unread is None) != (draft.unread is None):
                draft.configured(draft.settings, unread)
        self._changed(draft)
        self.dials.changed(uri)
        if self.configuration.dial_files.follow(uri, draft.document.text):
            self.settings_changed()

    def close(self, uri: str) -> None:
        if uri not in self._drafts:
            logger.warning("A draft that is not open was closed")
            return
        draft = self._stop(uri)
        self.offers = {name: offer for name, offer in self.offers.items() if offer.job.draft is not draft}
        self.configuration.forget(uri)
        if is_dial_file(uri):
            self.settings_changed()
        self.forget_in_engine(draft.engine_name)
        self.protocol.spawn("garbage", look_through_what_was_let_go())

    def reader(self, uri: str) -> DraftReader | None:
        found = self._readers.get(uri)
        return found[0] if found is not None else None

    def wrote(self, draft: OpenDraft) -> None:
        """The editor put in a suggestion."""
        draft.settled()
        self._wake(draft.uri)
        self.refresher.request()

    def next_id(self) -> str:
        """For what a client names later: candidates, and suggestions that were taken."""
        return str(next(self._ids))

    def _stop(self, uri: str) -> OpenDraft:
        self._readers.pop(uri)[1].cancel()
        pause = self._pauses.pop(uri, None)
        if pause is not None:
            pause.cancel()
        self.dials.closed(uri)
        return self._drafts.pop(uri)

    def _changed(self, draft: OpenDraft) -> None:
        self._wake(draft.uri)
        self.changes.note(draft.uri, "readings")
        if draft.typing is not None and draft.uri not in self._pauses:
            self._pauses[draft.uri] = self.protocol.spawn("pause", self._after_pause(draft))

    async def _after_pause(self, draft: OpenDraft) -> None:
        """When typing rests, its paragraph is shown again.

        Where it was not hidden there is nothing to tell: a refresh now would put off the one for the fresh reading.
        """
        hidden = False
        try:
            while not draft.rests(self.clock.now()):
                hidden = True
                due = draft.last_edit + draft.settings.hints.pause_seconds - self.clock.now()
                await self.clock.sleep(max(due, 0.001))
        finally:
            self._pauses.pop(draft.uri, None)
        reader = self.reader(draft.uri)
        if reader is not None:
            reader.rested()
        if hidden:
            self.refresher.request()

    def _wake(self, uri: str) -> None:
        reader = self.reader(uri)
        if reader is not None:
            reader.wake()

    def _read(self, draft: OpenDraft) -> None:
        """Something that is shown of a draft may be another."""
        self.refresher.request()
        self.changes.note(draft.uri, "readings")

    def forget_in_engine(self, name: str) -> None:
        """The engine may let go of a draft, by the engine's name for it."""
        if self.link.ready:
            self.protocol.spawn("close", self._close_in_engine(name))

    async def _close_in_engine(self, name: str) -> None:
        try:
            await self.link.client().close_document(CloseRequest(name))
        except errors.UndersongError:
            return  # an engine that is gone has forgotten it anyway

    def _why_unread(self, settings: Settings, document: Document) -> str | None:
        return why_unread(self.configuration, self.pages, self.notices, settings, document)

    # --- settings ----------------------------------------------------------------------------------------------

    def settings_of(self, uri: str) -> Settings:
        return self.configuration.settings(uri)

    def check_dial_files(self) -> None:
        """Before a request is answered: a client that does not watch files leaves it to us to look."""
        if not self.profile.register_watched_files and self.configuration.dial_files.changed_on_disk():
            self.settings_changed()

    def dial_files_changed(self) -> None:
        """The client saw some `.undersong.toml` made, changed or deleted."""
        self.configuration.dial_files.changed_on_disk()
        self.settings_changed()

    def settings_changed(self) -> None:
        """Give every draft its settings anew, and the engine its own."""
        for draft in self._drafts.values():
            settings = self.settings_of(draft.uri)
            if settings != draft.settings:
                draft.configured(settings, self._why_unread(settings, draft.document))
                self._read_anew(draft.uri)
                self.refresher.request()
                self.changes.note(draft.uri, "dials")
        settings = self.configuration.settings(None)
        # What the command line says holds unless a setting says otherwise.
        named = settings.log.level != LogSettings().level
        logging.getLogger("undersong").setLevel(settings.log.level.upper() if named else logging.NOTSET)
        self.link.start(settings.engine)
        self._check_names()

    async def pull_settings(self, *uris: str) -> None:
        """For these drafts; for all, where none is given."""
        await self.configuration.pull(uris or self._drafts)
        self.settings_changed()

    # --- the engine --------------------------------------------------------------------------------------------

    def client(self) -> EngineClient:
        """Raises EngineLoading or EngineUnavailable."""
        return self.link.client()

    def _read_anew(self, uri: str) -> None:
        reader = self.reader(uri)
        if reader is not None:
            reader.ask_again()

    def _check_names(self) -> None:
        """Tell of features that are pinned or silenced and do not exist, or are to be raised and do not steer."""
        forget_names(self)
        if self.link.ready:
            self.protocol.spawn("names", tell_of_names(self))

    def _reader_may_be_another(self) -> None:
        """Readings and cards of one model say nothing of another; those of a restarted one still hold."""
        health = self.link.health
        reads = (self.link.settings, health and health.model, health and health.saes)
        before, self._reads = self._reads, reads
        if before is not None and before != reads:
            self.cards.clear()
            self.dials.forget_names()
            for draft in self._drafts.values():
                draft.doubt_readings()

    def _link_changed(self) -> None:
        link = self.link
        if link.ready:
            self.notices.forget("engine")
        elif link.state in ("failed", "lost"):
            self.notices.failed_once("engine", link.unavailable())
        if (link.state, link.generation) != self._last_link:
            self._last_link = (link.state, link.generation)
            if link.ready:
                self._reader_may_be_another()
                self._check_names()
                for warning in link.health.warnings if link.health is not None else ():
                    self.notices.say_once(f"weights {warning}", types.MessageType.Warning, warning)
                self.dials.learn_names()
            for uri in self._drafts:
                self._read_anew(uri)
        self._teller.tell(link)
