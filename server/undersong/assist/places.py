"""Where a continuation stands: which paragraph it follows, how far into its prose."""

from __future__ import annotations

from dataclasses import dataclass

from undersong.assist.draft import NOT_SHOWN, Draft
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


def _after_paragraph(draft: Draft, offset: int) -> Place | None:
    ended = [index for index, paragraph in enumerate(draft.segments.paragraphs) if paragraph.span.end < offset]
    if not ended:
        return None
    paragraph = draft.paragraph(ended[-1])
    between = draft.document.slice(Span(paragraph.span.end, offset))
    if between.strip() or paragraph.kind in NOT_SHOWN:
        return None
    # Trailing spaces on the paragraph's own line still continue it; a new line begins anew.
    if "\n" not in between and "\r" not in between:
        return Place(ended[-1], len(paragraph.prose), paragraph.prose + between, "")
    return Place(ended[-1], len(paragraph.prose), "", "")
