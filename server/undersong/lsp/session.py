"""All that one editor has open, and what shows it: drafts, their readers, the engine, settings, messages."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from undersong import errors
from undersong.assist.dial_file import FILE_NAME
from undersong.assist.settings import LogSettings, Settings
from undersong.assist.suggestions import Suggestion
from undersong.client.protocol import EngineClient
from undersong.lsp import edits as incoming
from undersong.lsp.capabilities import ClientProfile
from undersong.lsp.clock import Clock
from undersong.lsp.configuration import Configuration, folder_uris
from undersong.lsp.drafts import OpenDraft
from undersong.lsp.evidence import forget_names, tell_of_names
from undersong.lsp.link import Connect, EngineLink
from undersong.lsp.notices import Notices
from undersong.lsp.pages import Pages
from undersong.lsp.positions import Positions, well_formed
from undersong.lsp.progress import ProgressBar, ProgressBars
from undersong.lsp.reading import DraftReader
from undersong.lsp.refresh import Refresher
from undersong.text.document import Document
from undersong.wire import CloseRequest, FeatureCard

if TYPE_CHECKING:
    from undersong.lsp.protocol import UndersongProtocol

logger = logging.getLogger(__name__)

STATUS = "undersong/status"
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
        self.configuration = Configuration(protocol, self.notices)
        self.link = EngineLink(connect, clock, self._link_changed)
        self.pages = Pages()
        self.cards: dict[str, FeatureCard] = {}
        # The steer that is running on each draft.
        self.steers: dict[str, asyncio.Future[Any]] = {}
        self._drafts: dict[str, OpenDraft] = {}
        self._readers: dict[str, tuple[DraftReader, asyncio.Future[Any]]] = {}
        self._pauses: dict[str, asyncio.Future[Any]] = {}
        self._loading: ProgressBar | None = None
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
        await self.configuration.pull(self._drafts)
        self.settings_changed()

    async def end(self) -> None:
        """Stop all work and detach from the engine."""
        for uri in list(self._drafts):
            self._stop(uri)
        for steer in self.steers.values():
            steer.cancel()
        self.pages.close()
        try:
            await asyncio.wait_for(self.link.close(), CLOSE_SECONDS)
        except TimeoutError:
            logger.warning("The engine did not let go in time")

    # --- drafts ------------------------------------------------------------------------------------------------

    def draft(self, uri: str) -> OpenDraft | None:
        return self._drafts.get(uri)

    def open(self, uri: str, language: str, version: int, text: str) -> None:
        document = Document.open(uri, language, version, well_formed(text))
        draft = self._drafts.get(uri)
        if draft is not None:
            logger.warning("A draft was opened twice; its text is taken anew")
            draft.replaced(document)
            self._changed(draft)
            return
        settings = self.settings_of(uri)
        draft = OpenDraft(document, settings, self._why_unread(settings, document))
        self._drafts[uri] = draft
        self._check_names()
        reader = DraftReader(draft, self.link, self.clock, self.refresher.request)
        task = self.protocol.spawn("reading", reader.run())
        self._readers[uri] = (reader, task)
        if self.profile.configuration:
            self.protocol.spawn("configuration", self._pull_for(uri))

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

    def close(self, uri: str) -> None:
        if uri not in self._drafts:
            logger.warning("A draft that is not open was closed")
            return
        draft = self._stop(uri)
        self.configuration.forget(uri)
        if self.link.ready:
            self.protocol.spawn("close", self._close_in_engine(draft))

    def reader(self, uri: str) -> DraftReader | None:
        found = self._readers.get(uri)
        return found[0] if found is not None else None

    def wrote(self, draft: OpenDraft, suggestion: Suggestion) -> None:
        """The last change of this draft was ours, not typing."""
        draft.wrote(suggestion)
        self._wake(draft.uri)
        self.refresher.request()

    def _stop(self, uri: str) -> OpenDraft:
        self._readers.pop(uri)[1].cancel()
        pause = self._pauses.pop(uri, None)
        if pause is not None:
            pause.cancel()
        return self._drafts.pop(uri)

    def _changed(self, draft: OpenDraft) -> None:
        self._wake(draft.uri)
        if draft.typing is not None and draft.uri not in self._pauses:
            self._pauses[draft.uri] = self.protocol.spawn("pause", self._after_pause(draft))

    async def _after_pause(self, draft: OpenDraft) -> None:
        """When typing rests, its paragraph is shown again."""
        try:
            while not draft.rests(self.clock.now()):
                due = draft.last_edit + draft.settings.hints.pause_seconds - self.clock.now()
                await self.clock.sleep(max(due, 0.001))
        finally:
            self._pauses.pop(draft.uri, None)
        reader = self.reader(draft.uri)
        if reader is not None:
            reader.rested()
        self.refresher.request()

    def _wake(self, uri: str) -> None:
        reader = self.reader(uri)
        if reader is not None:
            reader.wake()

    async def _close_in_engine(self, draft: OpenDraft) -> None:
        try:
            await self.link.client().close_document(CloseRequest(draft.engine_name))
        except errors.UndersongError:
            return  # an engine that is gone has forgotten it anyway

    def _why_unread(self, settings: Settings, document: Document) -> str | None:
        """Why a draft is not read; said once where the person may not expect it."""
        if document.uri.rpartition("/")[2] == FILE_NAME:
            return "the dial file"
        if self.configuration.excludes(settings, document.uri):
            return "excluded by reading.exclude"
        maximum = settings.reading.maximum_characters
        cause = f"size {document.uri}"
        if len(document.text) > maximum:
            self.notices.say_once(
                cause,
                types.MessageType.Warning,
                f"this draft is not read: it has {len(document.text):,} characters, more than "
                f"reading.maximum_characters ({maximum:,})",
            )
            return "too large"
        self.notices.forget(cause)
        return None

    # --- settings ----------------------------------------------------------------------------------------------

    def settings_of(self, uri: str) -> Settings:
        return self.configuration.settings(uri)

    def check_dial_files(self) -> None:
        """Before a request is answered: a client that does not watch files leaves it to us to look."""
        if not self.profile.register_watched_files and self.configuration.changed_on_disk():
            self.settings_changed()

    def dial_files_changed(self) -> None:
        """The client saw some `.undersong.toml` made, changed or deleted."""
        self.configuration.changed_on_disk()
        self.settings_changed()

    def settings_changed(self) -> None:
        """Give every draft its settings anew, and the engine its own."""
        for draft in self._drafts.values():
            settings = self.settings_of(draft.uri)
            if settings != draft.settings:
                draft.configured(settings, self._why_unread(settings, draft.document))
                self._read_anew(draft.uri)
                self.refresher.request()
        settings = self.configuration.settings(None)
        # What the command line says holds unless a setting says otherwise.
        named = settings.log.level != LogSettings().level
        logging.getLogger("undersong").setLevel(settings.log.level.upper() if named else logging.NOTSET)
        self.link.start(settings.engine)
        self._check_names()

    @property
    def named(self) -> frozenset[str]:
        """The features that the settings of the open drafts pin or silence, as they are written."""
        return frozenset(name for draft in self._drafts.values() for name in draft.settings.names)

    @property
    def raised(self) -> frozenset[str]:
        """Those that some draft pins above 0."""
        every = (pin for draft in self._drafts.values() for pin in draft.settings.features)
        return frozenset(pin.name for pin in every if pin.strength > 0)

    async def pull_settings(self) -> None:
        await self.configuration.pull(self._drafts)
        self.settings_changed()

    async def _pull_for(self, uri: str) -> None:
        await self.configuration.pull([uri])
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
        if self.link.ready and self.named:
            self.protocol.spawn("names", tell_of_names(self))

    def _reader_may_be_another(self) -> None:
        """Readings and cards of one model say nothing of another; those of a restarted one still hold."""
        health = self.link.health
        reads = (self.link.settings, health and health.model, health and health.saes)
        before, self._reads = self._reads, reads
        if before is not None and before != reads:
            self.cards.clear()
            for draft in self._drafts.values():
                draft.doubt_readings()

    def _link_changed(self) -> None:
        link = self.link
        share = link.health.progress if link.health is not None else 0.0
        if link.state in ("starting", "loading"):
            if self._loading is None:
                self._loading = self.bars.start("Undersong")
            self._loading.report(link.message, share)
        elif self._loading is not None:
            self._loading.end(link.message)
            self._loading = None
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
            for uri in self._drafts:
                self._read_anew(uri)
        if self.profile.status and not self.protocol.shutting_down:
            model = link.health.model if link.health is not None else ""
            self.protocol.tell(
                STATUS, {"state": link.state, "message": link.message, "progress": share, "model": model}
            )
