"""One consistent snapshot of a draft, which every function of this package takes."""

from __future__ import annotations

from dataclasses import dataclass

from undersong.assist.readings import DraftReadings
from undersong.assist.settings import Settings
from undersong.text.document import Document
from undersong.text.segments import Paragraph, Segments

NOT_SHOWN = frozenset({"heading"})
"""Kinds of paragraph that are read as context only."""


@dataclass(frozen=True, slots=True)
class Draft:
    """`segments` are those of `document`, `readings` those of `segments`."""

    document: Document
    segments: Segments
    readings: DraftReadings
    settings: Settings

    def paragraph(self, index: int) -> Paragraph:
        return self.segments.paragraphs[index]

    def is_shown(self, index: int) -> bool:
        """Whether a paragraph may get a hint: not a heading, and of enough words."""
        paragraph = self.paragraph(index)
        return paragraph.kind not in NOT_SHOWN and _has_words(paragraph.prose, self.settings.hints.minimum_words)


def _has_words(prose: str, least: int) -> bool:
    """Counts no further than it must: every paragraph is asked at every keystroke."""
    return least < 1 or len(prose.split(None, least - 1)) >= least
