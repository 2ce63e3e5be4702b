"""Code lenses: the same content as the hints, in a line of its own above each paragraph."""

from __future__ import annotations

from dataclasses import dataclass

from undersong.assist.draft import Draft
from undersong.assist.labels import SEPARATOR, labelled
from undersong.assist.salience import Background, salient
from undersong.text.span import Span

CELLS = 80


@dataclass(frozen=True, slots=True)
class Lens:
    """`span`: the source paragraph it stands above. `features`: the ids that `title` names, in order."""

    span: Span
    paragraph: int
    title: str
    features: tuple[str, ...]
    fresh: bool


def lenses(draft: Draft, span: Span | None = None, typing: int | None = None) -> tuple[Lens, ...]:
    """The lenses of the paragraphs that touch `span` (None: all). `typing`: the paragraph to leave in peace."""
    background = Background.of(draft.readings)
    found: list[Lens] = []
    paragraphs = draft.segments.paragraphs
    for index in range(len(paragraphs)) if span is None else paragraphs.touching(span):
        held = draft.readings.at(index)
        if held is None or index == typing or not draft.is_shown(index):
            continue
        names = labelled(salient(draft, index, draft.settings.hints.per_paragraph, background), CELLS)
        if names:
            title = SEPARATOR.join(name.text for name in names)
            found.append(
                Lens(draft.paragraph(index).span, index, title, tuple(name.feature for name in names), held.fresh)
            )
    return tuple(found)
