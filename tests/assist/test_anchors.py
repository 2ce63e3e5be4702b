"""Anchors: a paragraph is found again when other text moved, and refused when it changed itself."""

from __future__ import annotations

import pytest

from undersong.assist.anchors import Anchor, anchor, cursor_offset, reanchored
from undersong.assist.places import Place, place_at
from undersong.errors import BadInput, Stale

from .drafts import draft_of, segments_of

BEFORE = "The sea was grey.\n\nShe *grieved*.\n\nThe sea was grey.\n"


def check(index: int, after: str, expected: int | None) -> None:
    """Where paragraph `index` of BEFORE is in `after`; None: refused."""
    old, new = segments_of(BEFORE), segments_of(after)
    made = Anchor.from_json(anchor(old.document, old, index).to_json())
    if expected is None:
        with pytest.raises(Stale, match="The paragraph changed"):
            reanchored(made, new.document, new)
    else:
        assert reanchored(made, new.document, new) == expected


def test_text_that_only_moved_is_found_again() -> None:
    check(1, BEFORE, 1)
    check(1, "New.\n\nAnd newer.\n\n" + BEFORE, 3)
    check(1, BEFORE.replace("The sea was grey.\n\nShe", "She"), 0)
    check(1, BEFORE.replace("\n", "\r\n"), 1)


def test_a_paragraph_that_changed_is_refused_its_markup_too() -> None:
    check(1, BEFORE.replace("grieved", "wept"), None)
    check(1, BEFORE.replace("*", "**"), None)
    check(1, "", None)


def test_equal_paragraphs_are_told_apart_by_their_neighbours() -> None:
    check(2, BEFORE, 2)
    check(0, BEFORE, 0)
    check(2, "New.\n\n" + BEFORE, 3)
    check(2, BEFORE.replace("grieved", "wept"), 2)
    check(0, "The sea was grey.\n\nNew.\n\n" + BEFORE, None)
    check(2, "The sea was grey.\n\nNew.\n\n" + BEFORE, 4)


def test_an_equal_paragraph_is_not_taken_for_one_that_changed() -> None:
    check(2, BEFORE.removesuffix("grey.\n") + "cold.\n", None)
    check(0, BEFORE.replace("grey.\n\nShe", "cold.\n\nShe"), None)
    check(2, BEFORE.replace("grey.\n\nShe", "cold.\n\nShe"), 2)


def moved_cursor(offset: int, after: str) -> int:
    old, new = segments_of(BEFORE), segments_of(after)
    index = max(at for at, paragraph in enumerate(old.paragraphs) if paragraph.span.start <= offset)
    return cursor_offset(anchor(old.document, old, index, offset), new.document, new)


def test_a_cursor_moves_with_its_paragraph() -> None:
    assert moved_cursor(23, BEFORE) == 23
    assert moved_cursor(23, "New.\n\n" + BEFORE) == 29
    assert moved_cursor(len(BEFORE), "New.\n\n" + BEFORE) == len(BEFORE) + 6
    for after in (BEFORE + "New.\n", BEFORE[:-1], BEFORE.replace("sea", "lake")):
        with pytest.raises(Stale):
            moved_cursor(len(BEFORE), after)


def test_an_anchor_that_is_none_is_refused() -> None:
    for raw in (None, 3, {}, {"paragraph": "1", "text_hash": "a"}, {"paragraph": 1}, {"paragraph": 1, "text_hash": 2}):
        with pytest.raises(BadInput, match="expected an anchor"):
            Anchor.from_json(raw)


def check_place(text: str, expected: Place | None) -> None:
    """`text` with a | where the cursor is."""
    draft = draft_of(text.replace("|", ""))
    assert place_at(draft, text.index("|")) == expected


def test_a_place_is_in_prose_or_on_the_empty_lines_after_it() -> None:
    check_place("The *sea*| was.", Place(0, 7, "The sea", " was."))
    check_place("The |*sea* was.", Place(0, 4, "The ", "sea was."))
    check_place("The sea |\nwas grey.", Place(0, 7, "The sea", " was grey."))
    check_place("The sea. |", Place(0, 8, "The sea. ", ""))
    check_place("The sea.\n\n|", Place(0, 8, "", ""))
    check_place("The sea.\n|\n\nGrief.", Place(0, 8, "", ""))
    check_place("# The s|ea\n", None)
    check_place("# The sea\n\n|\n", None)
    check_place("|\n\nThe sea", None)
    check_place("The sea.\n\n```\ncode|\n```\n", None)
    check_place("|", None)
