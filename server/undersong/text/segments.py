"""A draft cut into paragraphs of prose.

1. The markup gives the body (no front matter, no preamble) and cuts it into chunks at places where no construct can be
   open: mostly blank lines.
2. A chunk is parsed by itself, to paragraphs with offsets from its start; parses are kept by the chunk's text.
3. After an edit, chunks wholly before the edit are kept with their paragraphs. From there chunks are cut anew, until
   one begins where one began before, in text that did not change: from there on the old chunks are kept, moved.

So an edit costs the parse of one or two chunks. What follows is not made anew, only its offsets are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import lru_cache

from undersong.text.common import common_prefix, common_suffix
from undersong.text.document import Document
from undersong.text.markups import markup_for
from undersong.text.markups.base import NO_DEFINITIONS, Definitions, Markup
from undersong.text.paragraph import Kind, Paragraph, Run
from undersong.text.paragraphs import Paragraphs, Piece
from undersong.text.span import Span

__all__ = ["Difference", "Kind", "Paragraph", "Run", "Segments", "diff", "segment"]

# A longer chunk is parsed again rather than kept: keeping each state of a huge line would fill the memory.
_KEPT = 32_768


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the draft that was parsed by itself."""

    definitions: Definitions
    pieces: tuple[Piece, ...] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Segments:
    """The paragraphs of `document`, and the prose of each. What follows them is for the next `segment`."""

    document: Document
    paragraphs: Paragraphs
    proses: tuple[str, ...] = field(repr=False)
    body: Span = field(repr=False)
    definitions: Definitions = field(repr=False)
    chunks: tuple[Chunk, ...] = field(repr=False)
    starts: tuple[int, ...] = field(repr=False)  # where each chunk begins; the body's end closes the last
    firsts: tuple[int, ...] = field(repr=False)  # the index of each chunk's first paragraph

    def paragraph_at(self, offset: int) -> int | None:
        """The index of the paragraph at a source offset.

        Its end belongs to it, and so does white space between its end and the offset on the same line: a cursor after
        a space just typed is still in the paragraph.
        """
        index = self.paragraphs.starting_up_to(offset) - 1
        if index < 0:
            return None
        end = self.paragraphs[index].span.end
        if offset <= end:
            return index
        line_end = self.document.line_span(self.document.line_of(end)).end
        return index if offset <= line_end and self.document.text[end:offset].isspace() else None


@dataclass(frozen=True, slots=True)
class Difference:
    """Paragraphs start ..< start + removed of the old draft were replaced by `inserted` (prose)."""

    start: int
    removed: int
    inserted: tuple[str, ...]


def segment(document: Document, previous: Segments | None = None) -> Segments:
    """The paragraphs of `document`. `previous`, of any version of it, makes it cheap and changes nothing else."""
    markup = markup_for(document.language)
    body = markup.body(document.text)
    old = previous if previous and _comparable(previous, document, body) else _nothing(document, body)
    head, fresh, tail = _cut(markup, document, body, old)

    text, moved = document.text, body.end - old.body.end
    found = [markup.definitions(text[start:end]) for start, end in fresh]
    kept = (chunk.definitions for chunk in (*old.chunks[:head], *old.chunks[tail:]))
    definitions = NO_DEFINITIONS.union(*filter(None, kept), *found)
    if definitions != old.definitions and (head or tail < len(old.chunks)):
        # A link's label was defined, or is no longer: any chunk may read differently.
        ends = (*old.starts[1:], old.body.end)
        above = list(zip(old.starts[:head], ends[:head], strict=True))
        below = [(a + moved, b + moved) for a, b in zip(old.starts[tail:], ends[tail:], strict=True)]
        found = [chunk.definitions for chunk in old.chunks[:head]] + found
        found += [chunk.definitions for chunk in old.chunks[tail:]]
        fresh, head, tail = above + fresh + below, 0, len(old.chunks)

    chunks = [
        _parsed(markup, text[start:end], own, definitions) for (start, end), own in zip(fresh, found, strict=True)
    ]
    first = old.firsts[head] if head < len(old.firsts) else len(old.paragraphs)
    first_kept = old.firsts[tail] if tail < len(old.firsts) else len(old.paragraphs)
    firsts: list[int] = []
    pieces: list[Piece] = []
    offsets: list[int] = []
    for chunk, (start, _) in zip(chunks, fresh, strict=True):
        firsts.append(first + len(pieces))
        pieces.extend(chunk.pieces)
        offsets.extend([start] * len(chunk.pieces))
    more = first + len(pieces) - first_kept
    before, after = slice(0, first), slice(first_kept, None)
    return Segments(
        document=document,
        paragraphs=Paragraphs(
            (*old.paragraphs.pieces[before], *pieces, *old.paragraphs.pieces[after]),
            (*old.paragraphs.offsets[before], *offsets, *_moved(old.paragraphs.offsets[after], moved)),
        ),
        proses=(*old.proses[before], *(piece.paragraph.prose for piece in pieces), *old.proses[after]),
        body=body,
        definitions=definitions,
        chunks=(*old.chunks[:head], *chunks, *old.chunks[tail:]),
        starts=(*old.starts[:head], *(start for start, _ in fresh), *_moved(old.starts[tail:], moved)),
        firsts=(*old.firsts[:head], *firsts, *_moved(old.firsts[tail:], more)),
    )


def diff(old: Segments, new: Segments) -> Difference:
    """What changed between two segmentations, by the longest common beginning and end of their proses."""
    a, b = old.proses, new.proses
    start = common_prefix(a, b)
    end = min(common_suffix(a, b, len(a), len(b)), min(len(a), len(b)) - start)
    return Difference(start, len(a) - end - start, b[start : len(b) - end])


def _comparable(previous: Segments, document: Document, body: Span) -> bool:
    same_markup = markup_for(previous.document.language) is markup_for(document.language)
    return same_markup and previous.body.start == body.start


def _nothing(document: Document, body: Span) -> Segments:
    return Segments(document, Paragraphs(), (), Span(body.start, body.start), NO_DEFINITIONS, (), (), ())


def _cut(markup: Markup, document: Document, body: Span, old: Segments) -> tuple[int, list[tuple[int, int]], int]:
    """(head, fresh, tail): old chunks before `head` and from `tail` on are kept; `fresh` are cut between them."""
    text, before = document.text, old.document.text
    moved = body.end - old.body.end
    same = common_prefix(before, text) if old.chunks else 0
    # Counted back from the two ends of the body.
    rest = common_suffix(before, text, old.body.end, body.end) if old.chunks else 0
    ends = (*old.starts[1:], old.body.end)
    # The last chunk before the edit may have looked at the first line of the next: one is cut anew.
    head = max(bisect_right(ends, min(same, body.end)) - 1, 0)
    at = old.starts[head] if old.starts else body.start

    fresh: list[tuple[int, int]] = []
    while at < body.end:
        tail = bisect_left(old.starts, at - moved, lo=head)
        if at >= body.end - rest and tail < len(old.starts) and old.starts[tail] == at - moved:
            return head, fresh, tail
        end = markup.chunk_end(text, at, body.end)
        fresh.append((at, end))
        at = end
    return head, fresh, len(old.chunks)


def _moved(numbers: tuple[int, ...], by: int) -> tuple[int, ...]:
    return tuple(number + by for number in numbers) if by else numbers


def _parsed(markup: Markup, chunk: str, own: Definitions, definitions: Definitions) -> Chunk:
    # Only a chunk with a bracket can refer to a definition; the others stay in the cache whatever is defined.
    definitions = definitions if "[" in chunk else NO_DEFINITIONS
    if len(chunk) > _KEPT:
        return Chunk(own, _pieces(markup, chunk, definitions))
    return Chunk(own, _parse_kept(markup, chunk, definitions))


@lru_cache(maxsize=8192)
def _parse_kept(markup: Markup, chunk: str, definitions: Definitions) -> tuple[Piece, ...]:
    return _pieces(markup, chunk, definitions)


def _pieces(markup: Markup, chunk: str, definitions: Definitions) -> tuple[Piece, ...]:
    return tuple(map(Piece, markup.parse(chunk, definitions)))
