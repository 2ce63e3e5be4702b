"""One open draft: its text as the editor has it, what is known of it, and what the engine holds.

State changes on the event loop alone. Whatever computes takes `snapshot()`, which is frozen.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

from undersong import wire
from undersong.assist.anchors import text_hash
from undersong.assist.draft import Draft
from undersong.assist.ghost import Ghost, changes
from undersong.assist.readings import DraftReadings
from undersong.assist.settings import Settings
from undersong.assist.suggestions import style_of
from undersong.assist.taken import History
from undersong.assist.traces import Traces
from undersong.lsp.edits import smallest
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.segments import Segments, diff, segment
from undersong.text.span import Span
from undersong.text.typography import Style

_NOTHING = segment(Document.open("", "plaintext", 0, ""))


class OpenDraft:
    """A draft between didOpen and didClose.

    Attributes:
        unread: why the draft is not read (too large, excluded); None when it is
        typing: index of the paragraph that was last typed in, until a pause or a move; None
        last_edit: when that was, on the session's clock; minus infinity before the first
        visible: the span the editor last asked hints for
        revision: counts changes; the engine's version of the draft
        received: the serial of the engine's last reply about this draft
        history: the suggestions that were taken
        traces: the words that were traced
        putting_in: held while a suggestion is put in, until the editor has told of it
        on_standing: called when one of them came in, or was changed
    """

    def __init__(self, document: Document, settings: Settings, unread: str | None) -> None:
        self.uri = document.uri
        # The engine is shared: the name must not clash with another window's, and need not tell a path.
        self.engine_name = uuid.uuid4().hex
        self.document = document
        self.settings = settings
        self.unread = unread
        self.segments = self._segmented(None)
        self.readings = DraftReadings.empty(self.segments)
        self.ghost = Ghost()
        self.typing: int | None = None
        self.last_edit = float("-inf")
        self.visible: Span | None = None
        self.revision = 0
        self.received = 0
        self._held: tuple[int, Segments] | None = None
        self._generation = -1
        self._style: tuple[int, Style] | None = None
        self.history = History()
        self.traces = Traces()
        self.putting_in = asyncio.Lock()
        self.on_standing: Callable[[], None] = lambda: None

    def snapshot(self) -> Draft:
        return Draft(self.document, self.segments, self.readings, self.settings)

    @property
    def style(self) -> Style:
        """The draft's typography, detected once a revision."""
        if self._style is None or self._style[0] != self.revision:
            self._style = (self.revision, style_of(self.segments))
        return self._style[1]

    def settled(self) -> None:
        """The editor says that it put in the suggestion that was sent; it may have told of the change before."""
        self._taken_after(())

    def receipt(self, index: int) -> wire.Receipt | None:
        """That of the suggestion which wrote a paragraph, or part of it; None once anything in it was changed."""
        found = self.history.wrote(text_hash(self.document, self.segments, index))
        return None if found is None else found.receipt

    def edited(self, edits: Sequence[Edit], document: Document, now: float) -> None:
        """Edits as didChange brings them, each in the coordinates that the one before it leaves; what they make."""
        self.ghost = self.ghost.edited(changes(self.document, edits))
        self.document = document
        self._text_changed()
        self.last_edit = now
        self.typing = self._typed_at(edits[-1]) if edits else None
        self._taken_after(edits)

    def replaced(self, document: Document) -> None:
        """The text came whole (a full sync, or a second didOpen): no place in it was typed at."""
        edit = smallest(self.document.text, document.text)
        self.document = document
        self.ghost = Ghost()
        self._text_changed()
        self.typing = None
        self._taken_after([edit])

    def configured(self, settings: Settings, unread: str | None) -> None:
        """Other settings; the text is the same."""
        was_unread, self.unread, self.settings = self.unread, unread, settings
        if (was_unread is None) != (unread is None):
            self._text_changed()

    def doubt_readings(self) -> None:
        """Another model reads now: what the one before it found is shown until it has answered."""
        self.readings = self.readings.doubted()

    def rests(self, now: float) -> bool:
        """Whether typing has paused long enough for its paragraph to be shown again."""
        return now - self.last_edit >= self.settings.hints.pause_seconds

    def typed_in(self, now: float) -> int | None:
        """The paragraph that gets no hint now."""
        return None if self.rests(now) else self.typing

    # --- what the engine holds ---------------------------------------------------------------------------------

    def update(self, generation: int) -> wire.DraftUpdate:
        """What brings the engine up to date; it is taken to hold this revision from here on, until it says resync.

        generation: counts the engines attached to; another one holds nothing.
        """
        if generation != self._generation:
            self._generation, self._held = generation, None
        held = self._held
        if held is None:
            base, splice = None, wire.Splice(0, 0, self.segments.proses)
        else:
            change = diff(held[1], self.segments)
            base, splice = held[0], wire.Splice(change.start, change.removed, change.inserted)
        self._held = (self.revision, self.segments)
        return wire.DraftUpdate(self.engine_name, self.revision, base, splice)

    def forget_engine(self) -> None:
        """The engine lost this draft, or may have: the next update is whole."""
        self._held = None

    def _typed_at(self, edit: Edit) -> int | None:
        """The paragraph in which an edit leaves the cursor; none if it made lines before the paragraph."""
        cursor = edit.span.start + len(edit.text)
        index = self.segments.paragraph_at(cursor)
        if index is None or (edit.text.endswith(("\n", "\r")) and cursor <= self.segments.paragraphs[index].span.start):
            return None
        return index

    def _taken_after(self, edits: Sequence[Edit]) -> None:
        self.traces = self.traces.edited(edits, self.document)
        before, self.history = self.history, self.history.edited(edits, self.segments)
        if len(self.history.arrived) > len(before.arrived):
            # The last change was a suggestion put in, not typing.
            self.typing = None
        if self.history.standing != before.standing:
            self.on_standing()

    def _text_changed(self) -> None:
        self.revision += 1
        old = self.segments
        self.segments = self._segmented(old)
        self.readings = self.readings.rebased(old, self.segments)

    def _segmented(self, previous: Segments | None) -> Segments:
        if self.unread is not None:
            return _NOTHING
        return segment(self.document, None if previous is _NOTHING else previous)
