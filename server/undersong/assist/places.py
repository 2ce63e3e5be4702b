"""Where a continuation stands: which paragraph it follows, how far into its prose."""

from __future__ import annotations

from dataclasses import dataclass

from undersong.assist.draft import NOT_SHOWN, Draft
from undersong.text.sentences import sentences
from undersong.text.span import Span


@dataclass(frozen=True, slots=True)
class Place:
    """`before` and `after`: the prose on either side, up to the paragraph's ends. On an empty line both are ""."""

    paragraph: int
    prose_offset: int
    before: str
    after: str


def place_at(draft: Draft, offset: int) -> Place | None:
    """The place of a source offset: in a paragraph of prose, or on the empty lines that follow one.

    None elsewhere: in headings, code, maths, and before the first paragraph.
    """
    index = draft.segments.paragraph_at(offset)
    if index is not None and draft.paragraph(index).span.start <= offset <= draft.paragraph(index).span.end:
        paragraph = draft.paragraph(index)
        if paragraph.kind in NOT_SHOWN:
            return None
        at = paragraph.to_prose_offset(offset)
        return Place(index, at, paragraph.prose[:at], paragraph.prose[at:])
    return _after_paragraph(draft, offset)


@dataclass(frozen=True, slots=True)
class SentencePlace:
    """`span`: of the sentence in the paragraph's prose."""

    paragraph: int
    span: Span


def sentence_at(draft: Draft, offset: int) -> SentencePlace | None:
    """The sentence at a source offset; between two, the one that follows. None where there is no prose."""
    index = draft.segments.paragraph_at(offset)
    if index is None or draft.paragraph(index).kind in NOT_SHOWN:
        return None
    paragraph = draft.paragraph(index)
    at = paragraph.to_prose_offset(offset)
    found = sentences(paragraph.prose)
    here = next((span for span in found if at < span.end), found[-1] if found else None)
    return None if here is None else SentencePlace(index, here)


def gap_at(draft: Draft, offset: int) -> int | None:
    """The paragraph before the gap at a source offset, where a paragraph can be put between two of prose.

    In a paragraph that is the gap behind it. None where either side is no plain prose, or more than space is between.
    """
    paragraphs = draft.segments.paragraphs
    begun = paragraphs.starting_up_to(offset) - 1
    if begun < 0 or begun + 1 >= len(paragraphs):
        return None
    one, other = paragraphs[begun], paragraphs[begun + 1]
    between = draft.document.slice(Span(one.span.end, other.span.start))
    return begun if one.kind == other.kind == "prose" and between and not between.strip() else None


def _after_paragraph(draft: Draft, offset: int) -> Place | None:
    ended = draft.segments.paragraphs.ending_from(offset) - 1
    if ended < 0:
        return None
    paragraph = draft.paragraph(ended)
    between = draft.document.slice(Span(paragraph.span.end, offset))
    if between.strip() or paragraph.kind in NOT_SHOWN:
        return None
    # Trailing spaces on the paragraph's own line still continue it; a new line begins anew.
    if "\n" not in between and "\r" not in between:
        return Place(ended, len(paragraph.prose), paragraph.prose + between, "")
    return Place(ended, len(paragraph.prose), "", "")
