"""Drafts for tests: text, and what a reading of it would say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from undersong import wire
from undersong.assist.draft import Draft
from undersong.assist.readings import DraftReadings, Held
from undersong.assist.settings import HintSettings, Settings
from undersong.text.document import Document
from undersong.text.segments import Segments, segment
from undersong.text.sentences import sentences

URI = "file:///draft.md"
Row = tuple[str, str, float, str]
"""id, name, presence, the word in which it peaks."""


def segments_of(text: str, language: str = "markdown") -> Segments:
    return segment(Document.open(URI, language, 1, text))


def feature(feature: str, name: str, presence: float, word: str = "", prose: str = "") -> wire.FeatureReading:
    at = prose.find(word) if word else -1
    start, end = (at, at + len(word)) if at >= 0 else (0, 0)
    return wire.FeatureReading(feature, name, presence, presence, presence * 2, start, end)


def reading_of(index: int, prose: str, rows: Sequence[Row]) -> wire.ParagraphReading:
    """Each sentence carries the features whose word stands in it."""
    features = tuple(feature(*row, prose=prose) for row in rows)
    spans = [
        wire.SentenceReading(
            span.start,
            span.end,
            tuple(one for one in features if span.start <= one.peak_start < one.peak_end <= span.end),
        )
        for span in sentences(prose)
    ]
    return wire.ParagraphReading(index, f"key {index}", features, tuple(spans))


def draft_of(
    text: str,
    rows: Mapping[int, Sequence[Row]] | None = None,
    settings: Settings | None = None,
    language: str = "markdown",
    fresh: bool = True,
    reads_only: Collection[str] = (),
) -> Draft:
    """`rows`: the reading of each paragraph that was read. `reads_only`: names of the features that do not steer."""
    segments = segments_of(text, language)
    held = tuple(
        Held(_told(reading_of(index, paragraph.prose, rows[index]), reads_only), fresh)
        if rows and index in rows
        else None
        for index, paragraph in enumerate(segments.paragraphs)
    )
    return Draft(segments.document, segments, DraftReadings(held), settings or Settings())


def _told(reading: wire.ParagraphReading, reads_only: Collection[str]) -> wire.ParagraphReading:
    def told(features: tuple[wire.FeatureReading, ...]) -> tuple[wire.FeatureReading, ...]:
        return tuple(replace(one, steers=False) if one.name in reads_only else one for one in features)

    sentences = tuple(replace(sentence, features=told(sentence.features)) for sentence in reading.sentences)
    return replace(reading, features=told(reading.features), sentences=sentences)


def hint_settings(**changed: object) -> Settings:
    return Settings(hints=HintSettings(**changed))  # type: ignore[arg-type]
