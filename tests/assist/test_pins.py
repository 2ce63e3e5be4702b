"""Which pins nothing can be steered toward, as any paragraph of the draft tells it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from undersong.assist.draft import Draft
from undersong.assist.pins import reads_only
from undersong.assist.readings import DraftReadings, Held
from undersong.assist.settings import Pin, Settings

from .drafts import Row, draft_of

TEXT = "The sea was grey.\n\nIt was only rain again.\n\nShe rowed home.\n"
SEA: list[Row] = [("p3.1", "the sea", 0.0, "")]


def pinned(*names: str) -> Settings:
    return Settings(features=tuple(Pin(name, 0.5) for name in names))


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("name", ["the sea", "p3.1", "The  Sea"])
def test_one_reading_tells_it_of_the_whole_draft(index: int, name: str) -> None:
    draft = draft_of(TEXT, {index: SEA}, pinned("rain", name), reads_only={"the sea"})
    assert reads_only(draft) == {name}


def test_what_steers_what_is_not_read_and_what_is_not_pinned_are_none_of_them() -> None:
    assert reads_only(draft_of(TEXT, {0: SEA}, pinned("the sea", "rain"))) == frozenset()
    assert reads_only(draft_of(TEXT, {0: SEA}, reads_only={"the sea"})) == frozenset()
    assert reads_only(draft_of(TEXT, None, pinned("the sea"))) == frozenset()


def test_a_reading_made_before_the_feature_was_pinned_says_nothing_of_it() -> None:
    salt: list[Row] = [("p3.2", "salt", 0.9, "")]
    draft = draft_of(TEXT, {0: salt, 2: SEA}, pinned("the sea"), reads_only={"the sea"})
    assert reads_only(draft) == {"the sea"}


def test_a_fresh_reading_counts_for_more_than_one_of_other_weights() -> None:
    settings = pinned("the sea")
    old, new = (draft_of(TEXT, {0: SEA}, settings, reads_only=names) for names in ({"the sea"}, set[str]()))

    def both(first: Draft, second: Draft) -> Draft:
        """Paragraph 0 as `first` read it, before; paragraph 1 as `second` did, now."""
        before, now = first.readings.paragraphs[0], second.readings.paragraphs[0]
        assert before is not None and now is not None
        held = (Held(before.reading, fresh=False), now, None)
        return replace(first, readings=DraftReadings(held))

    assert reads_only(both(old, new)) == frozenset()
    assert reads_only(both(new, old)) == {"the sea"}
