"""The content changes of a didChange as edits in code points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lsprotocol import types

from undersong.lsp.positions import Positions, well_formed
from undersong.text.common import common_prefix, common_suffix
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span


@dataclass(frozen=True, slots=True)
class Incoming:
    """edits: each in the coordinates that the one before it leaves; document: the text after all of them."""

    edits: tuple[Edit, ...]
    document: Document


def edits(
    positions: Positions,
    document: Document,
    changes: Sequence[types.TextDocumentContentChangeEvent],
    version: int,
) -> Incoming:
    """Positions of each change count in the text that the changes before it leave, as the protocol says."""
    found: list[Edit] = []
    for change in changes:
        text = well_formed(change.text)
        if isinstance(change, types.TextDocumentContentChangePartial):
            edit = Edit(positions.span(document, change.range), text)
        else:
            edit = smallest(document.text, text)
        found.append(edit)
        document = document.apply([edit], version)
    return Incoming(tuple(found), document if changes else document.apply([], version))


def smallest(before: str, after: str) -> Edit:
    """The one edit that makes `after` of `before` and leaves alone what both begin and end with.

    A client may send the text whole after each keystroke; what did not change keeps its readings.
    """
    start = common_prefix(before, after)
    rest = min(len(before), len(after)) - start
    end = min(rest, common_suffix(before, after, len(before), len(after)))
    return Edit(Span(start, len(before) - end), after[start : len(after) - end])
