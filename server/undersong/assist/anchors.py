"""Ties what was asked for to the paragraph it was asked about, while the draft goes on changing around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, cast

from undersong.assist.kept import by_identity
from undersong.errors import BadInput, Stale
from undersong.text.document import Document
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
    text = hashes.of(index)
    twins = len(hashes.places[text])
    return Anchor(index, text, hashes.of(index - 1), hashes.of(index + 1), hashes.nths[index], twins, cursor)


def text_hash(document: Document, segments: Segments, index: int) -> str:
    """Of a paragraph's source; equal paragraphs have the same."""
    return _hashes(document, segments).of(index)


def reanchored(anchor: Anchor, document: Document, segments: Segments) -> int:
    """The paragraph's index now. Raises Stale when its own text changed; text that only moved is found again.

    Where equal paragraphs came or went, only one that still stands between the same neighbours is surely the one.
    """
    hashes = _hashes(document, segments)
    twins = hashes.places.get(anchor.text_hash, [])
    if len(twins) == anchor.twins and 0 <= anchor.nth < len(twins):
        return twins[anchor.nth]
    for index in twins:
        if (hashes.of(index - 1), hashes.of(index + 1)) == (anchor.before, anchor.after):
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


@dataclass(frozen=True, slots=True)
class Hashes:
    """Of each paragraph's source, markup included: a rewrite replaces that too.

    nths: how many equal ones stand before each; places: where each hash stands
    """

    hashes: tuple[str, ...]
    nths: tuple[int, ...]
    places: dict[str, list[int]]

    def of(self, index: int) -> str:
        """ "" where there is no such paragraph."""
        return self.hashes[index] if 0 <= index < len(self.hashes) else ""


# Every hint and action of one version has an anchor; hashing the draft for each would cost its length squared.
@by_identity(4)
def _hashes(document: Document, segments: Segments) -> Hashes:
    made = tuple(_hash(document.slice(paragraph.span)) for paragraph in segments.paragraphs)
    places: dict[str, list[int]] = {}
    nths: list[int] = []
    for index, text in enumerate(made):
        twins = places.setdefault(text, [])
        nths.append(len(twins))
        twins.append(index)
    return Hashes(made, tuple(nths), places)


def _hash(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
