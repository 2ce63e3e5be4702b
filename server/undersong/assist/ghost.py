"""Ghost text while typing: what of the last suggestion still stands, and when to keep quiet.

What is typed through a suggestion is served from it, and one that is still being written goes on while what is typed
agrees with it: no new writing. After a deletion or an undo nothing is offered
unless it is asked for. LSP does not say which edits are undos; an undo shows itself by putting back what was just
taken away, where it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap

from undersong.text.common import common_prefix, common_suffix
from undersong.text.document import Document
from undersong.text.edits import Edit

REMEMBERED = 8
TWINS = {"'": "'‘’", '"': '"“”„«»', "-": "-–—‑"}
"""What a keyboard has for what a draft has: typing the left accepts any of the right."""


@dataclass(frozen=True, slots=True)
class Change:
    """One edit with the text it took away. `start`: in the coordinates that hold when it is made."""

    start: int
    removed: str
    inserted: str


def changes(before: Document, edits: Sequence[Edit]) -> tuple[Change, ...]:
    """The edits, as LSP sends them one after another, with what each removed. `before`: what the first applies to."""
    found: list[Change] = []
    document = before
    for at, edit in enumerate(edits):
        found.append(_least(edit.span.start, document.slice(edit.span), edit.text))
        if at + 1 < len(edits):
            document = document.apply((edit,), document.version)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Offered:
    """A suggestion for `offset`. typed: what has been typed there since; finished: no more text will come."""

    offset: int
    text: str
    typed: str = ""
    finished: bool = True

    @property
    def cursor(self) -> int:
        return self.offset + len(self.typed)

    @property
    def left(self) -> str:
        """What is not typed yet."""
        return self.text[len(self.typed) :]

    @property
    def agrees(self) -> bool:
        """Whether what is typed goes on as the text does, or runs ahead of a text that is still being written."""
        ahead = len(self.typed) > len(self.text)
        return not (ahead and self.finished) and all(starmap(_accepts, zip(self.text, self.typed, strict=False)))


@dataclass(frozen=True, slots=True)
class Ghost:
    """The state of one document's ghost text; every method answers a new one."""

    offer: Offered | None = None
    quiet: bool = False
    """Whether the last edit was a deletion or an undo: nothing is offered unless invoked."""
    removals: tuple[Change, ...] = ()
    """What was taken away lately, newest last."""

    def writing(self, offset: int) -> Ghost:
        """After a suggestion for a source offset was begun."""
        return replace(self, offer=Offered(offset, "", finished=False))

    def written(self, text: str, finished: bool) -> Ghost:
        """After the suggestion that is being written came to `text`; without an offer if something else was typed."""
        if self.offer is None or self.offer.finished:
            return self
        offer = replace(self.offer, text=text, finished=finished)
        return replace(self, offer=offer if offer.agrees and (offer.left or not finished) else None)

    def stopped(self) -> Ghost:
        """After the writing was stopped: what there is of it, if that is more than what was typed."""
        return self if self.offer is None else self.written(self.offer.text, finished=True)

    def awaited(self, offset: int) -> bool:
        """Whether the suggestion that is being written is for a cursor at `offset`."""
        return self.offer is not None and not self.offer.finished and self.offer.cursor == offset

    def edited(self, made: Sequence[Change]) -> Ghost:
        """After the document changed."""
        ghost = self
        for change in made:
            ghost = ghost._after(change)
        return ghost

    def remaining(self, offset: int) -> str | None:
        """What is left of the suggestion for a cursor at `offset`; None when there is none or it is elsewhere."""
        if self.offer is None or not self.offer.finished or offset != self.offer.cursor:
            return None
        return self.offer.left or None

    def _after(self, change: Change) -> Ghost:
        if not change.removed and not change.inserted:
            return self
        undone = any(_undoes(change, removal) for removal in self.removals)
        shrinks = len(change.inserted) < len(change.removed)
        return Ghost(_offer_after(self.offer, change), undone or shrinks, _removals_after(self.removals, change))


def _offer_after(offer: Offered | None, change: Change) -> Offered | None:
    if offer is None:
        return None
    start, end = change.start, change.start + len(change.removed)
    if start == offer.cursor:
        further = replace(offer, typed=offer.typed + change.inserted)
        return further if further.agrees else None
    if start > offer.cursor:
        return offer
    if end <= offer.offset:
        return replace(offer, offset=offer.offset + len(change.inserted) - len(change.removed))
    if start >= offer.offset and end == offer.cursor and not change.inserted:
        return replace(offer, typed=offer.typed[: start - offer.offset])
    return None


def _accepts(has: str, key: str) -> bool:
    """Whether typing `key` types the character `has`; a straight quote typed counts for the draft's curly one."""
    return key == has or has in TWINS.get(key, "")


def _undoes(change: Change, removal: Change) -> bool:
    """Whether `change` puts back what `removal` took away, or (of several deletions in a row) its beginning or end.

    A single letter counts only when it is all that was taken: else typing anew would look like an undo.
    """
    if change.start != removal.start or not change.inserted:
        return False
    back, taken = change.inserted, removal.removed
    return back == taken or (len(back) > 1 and not change.removed and (taken.startswith(back) or taken.endswith(back)))


def _removals_after(removals: tuple[Change, ...], change: Change) -> tuple[Change, ...]:
    kept = [moved for removal in removals if (moved := _removal_after(removal, change)) is not None]
    if not change.removed:
        return tuple(kept)
    last = removals[-1] if removals else None
    if last is not None and not last.inserted and not change.inserted:
        # Deletions in a row are undone together: backspaces run to the left, the delete key stays where it is.
        if change.start + len(change.removed) == last.start:
            change = Change(change.start, change.removed + last.removed, "")
        elif change.start == last.start:
            change = Change(change.start, last.removed + change.removed, "")
    return (*kept, change)[-REMEMBERED:]


def _removal_after(removal: Change, change: Change) -> Change | None:
    """Where a removal is after a later change; None when the change swallowed its place."""
    if change.start >= removal.start:
        return removal
    if change.start + len(change.removed) <= removal.start:
        return replace(removal, start=removal.start + len(change.inserted) - len(change.removed))
    return None


def _least(start: int, removed: str, inserted: str) -> Change:
    """The smallest change that does the same: some editors send whole lines, or the whole document."""
    prefix = common_prefix(removed, inserted)
    removed, inserted = removed[prefix:], inserted[prefix:]
    suffix = common_suffix(removed, inserted, len(removed), len(inserted))
    return Change(start + prefix, removed[: len(removed) - suffix], inserted[: len(inserted) - suffix])
