"""Ties what was asked for to the paragraph it was asked about, while the draft goes on changing around it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Any, cast

from undersong.assist.kept import by_identity
from undersong.errors import BadInput, Stale
from undersong.text.document import Document
from undersong.text.paragraphs import Piece
from undersong.text.segments import Segments
from undersong.text.span import Span

MEMBERS: dict[str, Any] = {
    "paragraph": None, "text_hash": None, "before": "", "after": "", "nth": 0, "twins": 1, "cursor": None,
}  # fmt: skip
"""Of an anchor in JSON, with what each is where it is left out."""
CHANGED = "The paragraph changed while this was being written, so nothing was put in. Ask again."


@dataclass(frozen=True, slots=True)
class Anchor:
    """A paragraph by its index and the hash of its source.

    A draft has paragraphs that are the same ("No."): it is the `nth` of `twins`, and stands between paragraphs of the
    hashes `before` and `after` ("": none). `cursor`: a place, in source code points from the paragraph's start; it may
    lie past the paragraph's end, on the empty lines after it.
    """

    paragraph: int
    text_hash: str
    before: str = ""
    after: str = ""
    nth: int = 0
    twins: int = 1
    cursor: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "paragraph": self.paragraph,
            "text_hash": self.text_hash,
            "before": self.before,
            "after": self.after,
            "nth": self.nth,
            "twins": self.twins,
            "cursor": self.cursor,
        }

    def brief(self) -> dict[str, Any]:
        """Enough to look up what is known of the paragraph; not to write there, where it may be one of several."""
        return {"paragraph": self.paragraph, "text_hash": self.text_hash}

    @classmethod
    def from_json(cls, raw: object) -> Anchor:
        """From a command's arguments. Raises BadInput."""
        fields = cast("Mapping[str, object]", raw if isinstance(raw, Mapping) else {})
        match [fields.get(key, default) for key, default in MEMBERS.items()]:
            case [int(index), str(text), str(before), str(after), int(nth), int(twins), (int() | None) as cursor]:
                return cls(index, text, before, after, nth, twins, cursor)
            case _:
                pass
        raise BadInput(f"expected an anchor as a code action gives it, found {raw!r}"[:200])


def anchor(document: Document, segments: Segments, index: int, offset: int | None = None) -> Anchor:
    """`document` is that of `segments`, here and below. `offset`: a place in it, in the paragraph or after it."""
    cursor = None if offset is None else offset - segments.paragraphs[index].span.start
    hashes = _hashes(document, segments)
    text = hashes[index]
    twins = _places(document, segments)[text]
    before, after = _of(hashes, index - 1), _of(hashes, index + 1)
    return Anchor(index, text, before, after, bisect_left(twins, index), len(twins), cursor)


def brief_anchor(document: Document, segments: Segments, index: int) -> Anchor:
    """Enough for what `Anchor.brief` is for, at no cost that grows with the draft."""
    return Anchor(index, text_hash(document, segments, index))


def text_hash(document: Document, segments: Segments, index: int) -> str:
    """Of a paragraph's source; equal paragraphs have the same."""
    return _hash(document, segments.paragraphs.pieces[index], segments.paragraphs.offsets[index])


def reanchored(anchor: Anchor, document: Document, segments: Segments) -> int:
    """The paragraph's index now. Raises Stale when its own text changed; text that only moved is found again.

    Where equal paragraphs came or went, only one that still stands between the same neighbours is surely the one.
    """
    hashes = _hashes(document, segments)
    twins = _places(document, segments).get(anchor.text_hash, [])
    if len(twins) == anchor.twins and 0 <= anchor.nth < len(twins):
        return twins[anchor.nth]
    for index in twins:
        if (_of(hashes, index - 1), _of(hashes, index + 1)) == (anchor.before, anchor.after):
            return index
    raise Stale(CHANGED)


def cursor_offset(anchor: Anchor, document: Document, segments: Segments) -> int:
    """Where the anchor's cursor is now, in the source.

    Raises Stale as `reanchored` does, and when text was written on the empty line where the cursor was, or above it.
    """
    span = segments.paragraphs[reanchored(anchor, document, segments)].span
    offset = span.start + (anchor.cursor or 0)
    if offset <= span.end:
        return offset
    line_end = document.line_span(document.line_of(offset)).end
    if offset > line_end or document.slice(Span(span.end, line_end)).strip():
        raise Stale(CHANGED)
    return offset


def _of(hashes: tuple[str, ...], index: int) -> str:
    """ "" where there is no such paragraph."""
    return hashes[index] if 0 <= index < len(hashes) else ""


# Every action of one version has an anchor; to look for twins for each would cost the draft's length squared.
@by_identity(4)
def _places(document: Document, segments: Segments) -> dict[str, list[int]]:
    """Where each hash stands, in order."""
    places: dict[str, list[int]] = {}
    for index, text in enumerate(_hashes(document, segments)):
        places.setdefault(text, []).append(index)
    return places


@by_identity(4)
def _hashes(document: Document, segments: Segments) -> tuple[str, ...]:
    """Of each paragraph's source, markup included: a rewrite replaces that too."""
    paragraphs = segments.paragraphs
    return tuple(map(partial(_hash, document), paragraphs.pieces, paragraphs.offsets))


def _hash(document: Document, piece: Piece, offset: int) -> str:
    """A piece has the same source wherever it stands: each is hashed once."""
    if piece.source_hash is None:
        source = document.slice(piece.at(offset).span)
        piece.source_hash = blake2b(source.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return piece.source_hash
