"""Hover on prose: what the sentence under the cursor carries, and on which words that rests."""

from __future__ import annotations

from dataclasses import dataclass

from undersong import wire
from undersong.assist.draft import Draft
from undersong.assist.phrases import line
from undersong.assist.salience import Background, chosen
from undersong.text.span import Span

FEATURES = 5
STALE = "*As read before the last change.*"


@dataclass(frozen=True, slots=True)
class Hover:
    """`span`: the source that `markdown` speaks of."""

    span: Span
    markdown: str


def hover(draft: Draft, offset: int) -> Hover | None:
    """None where there is no prose, where it was not read yet, and where nothing stands out."""
    index = draft.segments.paragraph_at(offset)
    held = None if index is None else draft.readings.at(index)
    if index is None or held is None:
        return None
    paragraph = draft.paragraph(index)
    if not paragraph.span.start <= offset <= paragraph.span.end:
        return None
    sentence = _sentence(held.reading, paragraph.to_prose_offset(offset))
    features = sentence.features if sentence else held.reading.features
    rest = Background.of(draft.readings).without(held.reading.features)
    shown = chosen(features, draft.settings, FEATURES, rest)
    if not shown:
        return None
    lines = ["This sentence carries" if sentence else "This paragraph carries", ""]
    lines += [line(one.reading, paragraph.prose, draft.settings) for one in shown]
    if not held.fresh:
        lines += ["", STALE]
    span = paragraph.to_source(Span(sentence.start, sentence.end)) if sentence else paragraph.span
    return Hover(span, "\n".join(lines))


def _sentence(reading: wire.ParagraphReading, offset: int) -> wire.SentenceReading | None:
    """The sentence that holds a prose offset; at the very end of the paragraph, the last."""
    inside = [one for one in reading.sentences if one.start <= offset < one.end]
    at_end = [one for one in reading.sentences[-1:] if offset == one.end]
    return next(iter(inside + at_end), None)
