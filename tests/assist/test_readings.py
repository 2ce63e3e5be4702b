"""Readings carried through edits: nothing is lost by typing, and nothing old is called fresh."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undersong import wire
from undersong.assist.readings import DraftReadings, Held
from undersong.text.segments import Segments

from .drafts import draft_of, reading_of, segments_of

BEFORE = "The sea was grey.\n\nShe grieved for him. It rained.\n\nThey rowed home.\n"
ROWS = {
    0: [("p3.1", "the sea", 0.9, "sea")],
    1: [("p3.2", "grief", 0.9, "grieved"), ("3.3", "weather", 0.8, "rained")],
    2: [("3.4", "boats", 0.8, "rowed")],
}


def shown(readings: DraftReadings, segments: Segments) -> list[str]:
    """Each paragraph as `fresh: name=word, ...`, the words taken from its present prose."""
    lines: list[str] = []
    for index, held in enumerate(readings.paragraphs):
        if held is None:
            lines.append("-")
            continue
        assert held.reading.index == index
        prose = segments.paragraphs[index].prose
        words = [f"{one.name}={prose[one.peak_start : one.peak_end]}" for one in held.reading.features]
        lines.append(("fresh: " if held.fresh else "stale: ") + ", ".join(words))
    return lines


def check(after: str, *expected: str) -> None:
    """What is held of BEFORE once it has become `after`."""
    draft = draft_of(BEFORE, ROWS)
    now = segments_of(after)
    readings = draft.readings.rebased(draft.segments, now)
    assert shown(readings, now) == list(expected)


def test_an_edit_makes_its_paragraph_and_those_after_it_stale() -> None:
    sea, grief = "fresh: the sea=sea", "fresh: grief=grieved, weather=rained"
    check(BEFORE, sea, grief, "fresh: boats=rowed")
    check(BEFORE.replace("home", "homeward"), sea, grief, "stale: boats=rowed")
    check(
        BEFORE.replace("grey", "cold and grey"),
        "stale: the sea=sea",
        "stale: grief=grieved, weather=rained",
        "stale: boats=rowed",
    )


def test_spans_move_with_the_text_that_follows_the_edit() -> None:
    check(
        BEFORE.replace("She grieved", "She 🌊 still grieved"),
        "fresh: the sea=sea",
        "stale: grief=grieved, weather=rained",
        "stale: boats=rowed",
    )
    check(
        BEFORE.replace("for him", "long"),
        "fresh: the sea=sea",
        "stale: grief=grieved, weather=rained",
        "stale: boats=rowed",
    )
    check(
        BEFORE.replace("grieved for him", "wept"),
        "fresh: the sea=sea",
        "stale: grief=, weather=rained",
        "stale: boats=rowed",
    )


def test_paragraphs_that_come_and_go_move_the_others() -> None:
    check(
        BEFORE.replace("They", "New here.\n\nThey"),
        "fresh: the sea=sea",
        "fresh: grief=grieved, weather=rained",
        "-",
        "stale: boats=rowed",
    )
    check("They rowed home.\n", "stale: boats=rowed")
    check("", *())
    check(
        BEFORE.replace("him. It", "him.\n\nIt"),
        "fresh: the sea=sea",
        "stale: grief=grieved, weather=",
        "-",
        "stale: boats=rowed",
    )


def test_sentences_move_too_and_those_that_are_gone_go() -> None:
    draft = draft_of(BEFORE, ROWS)
    now = segments_of(BEFORE.replace("She grieved for him. ", ""))
    held = draft.readings.rebased(draft.segments, now).at(1)
    assert held is not None
    assert [(one.start, one.end) for one in held.reading.sentences] == [(0, 10)]


TEXTS = st.lists(st.text("ab .🌊", max_size=8), max_size=5).map("\n\n".join)


@given(TEXTS, TEXTS)
def test_after_any_edit_every_span_lies_in_its_paragraph(before: str, after: str) -> None:
    old, new = segments_of(before), segments_of(after)
    held = tuple(
        Held(reading_of(index, one.prose, [("p3.1", "a", 0.9, one.prose[:2])]), True)
        for index, one in enumerate(old.paragraphs)
    )
    readings = DraftReadings(held).rebased(old, new)
    assert len(readings.paragraphs) == len(new.paragraphs)
    for index, (one, paragraph) in enumerate(zip(readings.paragraphs, new.paragraphs, strict=True)):
        if one is None:
            continue
        assert one.reading.index == index
        spans = [(feature.peak_start, feature.peak_end) for feature in one.reading.features]
        spans += [(sentence.start, sentence.end) for sentence in one.reading.sentences]
        assert all(0 <= start <= end <= len(paragraph.prose) for start, end in spans)
        if one.fresh:
            assert paragraph.prose == old.paragraphs[index].prose


def reply(segments: Segments, *wanted: int, pending: tuple[int, ...] = ()) -> wire.ReadReply:
    new = tuple(reading_of(at, segments.paragraphs[at].prose, [("p3.9", "new", 0.9, "")]) for at in wanted)
    return wire.ReadReply(1, new, pending)


def check_merged(after: str, answer: tuple[int, ...], pending: tuple[int, ...], *expected: str) -> None:
    """A reply about BEFORE comes when the draft has become `after`."""
    draft = draft_of(BEFORE, ROWS, fresh=False)
    read, now = draft.segments, segments_of(after)
    readings = draft.readings.rebased(read, now).merged(reply(read, *answer, pending=pending), read, now)
    assert [(one.fresh, one.reading.features[0].name) if one else None for one in readings.paragraphs] == [
        (part.startswith("fresh"), part.partition(" ")[2]) if part != "-" else None for part in expected
    ]


def test_a_reply_makes_fresh_what_it_holds_and_what_it_does_not_call_pending() -> None:
    check_merged(BEFORE, (0, 1, 2), (), "fresh new", "fresh new", "fresh new")
    check_merged(BEFORE, (1,), (), "fresh the sea", "fresh new", "fresh boats")
    check_merged(BEFORE, (1,), (2,), "fresh the sea", "fresh new", "stale boats")
    check_merged(BEFORE, (), (0, 1, 2), "stale the sea", "stale grief", "stale boats")


def test_a_reply_about_an_older_version_counts_where_nothing_changed_since() -> None:
    after = BEFORE.replace("It rained", "It snowed")
    check_merged(after, (0, 1, 2), (), "fresh new", "stale new", "stale new")
    check_merged(after, (2,), (), "fresh the sea", "stale grief", "stale new")


def test_a_reply_about_paragraphs_that_are_gone_is_left_out() -> None:
    check_merged("The sea was grey.\n", (0, 2), (), "fresh new")


@pytest.mark.parametrize(("rows", "stale"), [({}, (0, 1, 2)), (ROWS, ()), ({0: ROWS[0], 2: ROWS[2]}, (1,))])
def test_what_was_never_read_is_not_fresh(
    rows: dict[int, list[tuple[str, str, float, str]]], stale: tuple[int, ...]
) -> None:
    readings = draft_of(BEFORE, rows).readings
    assert tuple(readings.stale) == stale
    assert tuple(DraftReadings.empty(segments_of(BEFORE)).stale) == (0, 1, 2)
