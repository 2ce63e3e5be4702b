"""Inlay hints: `‹the sea ▃ · grief ▂›` at the end of each paragraph of prose.

All hints of one source line share `hints.characters_per_line`: an editor cuts what is longer, and a draft may have
several paragraphs on a line (LaTeX, table cells).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from undersong.assist.cells import width
from undersong.assist.draft import Draft
from undersong.assist.kept import PARAGRAPHS, by_identity
from undersong.assist.labels import SEPARATOR, Labelled, labelled
from undersong.assist.salience import Background, salient
from undersong.text.span import Span

OPEN, CLOSE = "‹", "›"
LEAST_CELLS = 8
"""What one hint needs: the quotes, a bar with its space, and four letters of a name."""


@dataclass(frozen=True, slots=True)
class HintPart:
    """`feature`: the id of what this part names; None for what stands between."""

    text: str
    feature: str | None = None


@dataclass(frozen=True, slots=True)
class Hint:
    """`offset`: where it is drawn, in the source. `fresh`: whether it speaks of the text as it is now."""

    offset: int
    paragraph: int
    parts: tuple[HintPart, ...]
    fresh: bool

    @property
    def label(self) -> str:
        return "".join(part.text for part in self.parts)


def hints(draft: Draft, span: Span | None = None, typing: int | None = None) -> tuple[Hint, ...]:
    """The hints that are drawn within `span` (None: everywhere). `typing`: the paragraph to leave in peace."""
    background = Background.of(draft.readings)
    budgets = _budgets(draft, _on_lines_of(draft, span))
    found: list[Hint] = []
    for index, cells in budgets.items():
        offset = _after_blanks(draft, draft.paragraph(index).span.end)
        if index == typing or (span is not None and not span.start <= offset <= span.end):
            continue
        held = draft.readings.at(index)
        parts = _parts(draft, index, cells, background)
        if held is not None and parts:
            found.append(Hint(offset, index, parts, held.fresh))
    return tuple(found)


def _after_blanks(draft: Draft, end: int) -> int:
    """A hint that stood before the blanks at a line's end would push the cursor of whoever types there along."""
    line_end = draft.document.line_span(draft.document.line_of(end)).end
    return end if draft.document.slice(Span(end, line_end)).strip() else line_end


def _parts(draft: Draft, index: int, cells: int, background: Background) -> tuple[HintPart, ...]:
    features = salient(draft, index, draft.settings.hints.per_paragraph, background)
    return _joined(labelled(features, cells - width(OPEN + CLOSE)))


@by_identity(PARAGRAPHS)
def _joined(names: tuple[Labelled, ...]) -> tuple[HintPart, ...]:
    if not names:
        return ()
    inner = [part for name in names for part in (HintPart(SEPARATOR), HintPart(name.text, name.feature))]
    return (HintPart(OPEN), *inner[1:], HintPart(CLOSE))


def _on_lines_of(draft: Draft, span: Span | None) -> range:
    """The paragraphs that end on the lines of `span`: a hint is drawn on the line where its paragraph ends."""
    document, paragraphs = draft.document, draft.segments.paragraphs
    if span is None:
        return range(len(paragraphs))
    after = document.line_start(document.line_of(span.end) + 1)
    stop = len(paragraphs) if after >= len(document.text) else paragraphs.ending_from(after)
    return range(paragraphs.ending_from(document.line_start(document.line_of(span.start))), stop)


def _budgets(draft: Draft, among: range) -> dict[int, int]:
    """The cells of each paragraph that may have a hint: an equal share of its line, or none if that is too few.

    among: with every paragraph that ends on one of their lines
    """
    lines: defaultdict[int, list[int]] = defaultdict(list)
    for index in among:
        if draft.is_shown(index) and draft.readings.at(index) is not None:
            lines[draft.document.line_of(draft.paragraph(index).span.end)].append(index)
    cells = draft.settings.hints.characters_per_line
    budgets: dict[int, int] = {}
    for sharing in lines.values():
        first = sharing[: max(1, cells // LEAST_CELLS)]
        budgets.update((index, cells // len(first)) for index in first)
    return budgets
