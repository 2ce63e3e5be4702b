"""Ghost text: typed through, left alone, dropped; quiet after deletions and undos."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undersong.assist.ghost import Change, Ghost, changes
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span


def offered(offset: int, text: str) -> Ghost:
    return Ghost().writing(offset).written(text, finished=True)


OFFERED = offered(10, " the grey sea.")


def check(made: list[Change], cursor: int, expected: str | None, quiet: bool = False) -> None:
    ghost = OFFERED.edited(made)
    assert (ghost.remaining(cursor), ghost.quiet) == (expected, quiet)


def typed(text: str, at: int = 10) -> list[Change]:
    return [Change(at + index, "", letter) for index, letter in enumerate(text)]


def test_what_is_typed_through_is_served_from_the_suggestion() -> None:
    check([], 10, " the grey sea.")
    check(typed(" the"), 14, " grey sea.")
    check([Change(10, "", " the grey")], 19, " sea.")
    check(typed(" the grey sea."), 24, None)
    check(typed(" a"), 12, None)
    check(typed(" the grey sea. And"), 28, None)


def test_a_cursor_elsewhere_gets_nothing() -> None:
    check([], 9, None)
    check(typed(" the"), 12, None)


def test_edits_elsewhere_move_the_suggestion() -> None:
    check([Change(0, "", "Oh, ")], 14, " the grey sea.")
    check([*typed(" t"), Change(0, "ab", "xyz")], 13, "he grey sea.")
    check([Change(40, "", "more")], 10, " the grey sea.")
    check([*typed(" the"), Change(12, "", "x")], 15, None)


def test_a_straight_quote_accepts_the_drafts_curly_one() -> None:
    ghost = offered(0, "“I don’t”")
    assert ghost.edited(typed("\"I don't", 0)).remaining(8) == "”"
    assert offered(0, "-x").edited(typed("—", 0)).remaining(1) is None


def check_written(so_far: str, made: list[Change], text: str, expected: str | None) -> None:
    """What is left of a suggestion that stood at `so_far` when `made` was typed, and came to `text`."""
    ghost = Ghost().writing(10).written(so_far, finished=False).edited(made)
    cursor = 10 + sum(len(change.inserted) - len(change.removed) for change in made)
    assert ghost.remaining(cursor) is None
    assert ghost.awaited(cursor) == (ghost.offer is not None)
    assert ghost.written(text, finished=True).remaining(cursor) == expected


def test_what_is_typed_through_a_suggestion_that_is_being_written_is_served_when_it_is_there() -> None:
    check_written("", [], " the sea.", " the sea.")
    check_written(" the", typed(" th"), " the sea.", "e sea.")
    check_written(" the", typed(" the s"), " the sea.", "ea.")
    check_written(" the", typed(" a"), " the sea.", None)
    check_written(" the", typed(" the h"), " the sea.", None)
    check_written(" the", typed(" the sea."), " the sea.", None)
    check_written(" the", [*typed(" tha"), Change(13, "a", ""), *typed("e", 13)], " the sea.", None)


def test_a_suggestion_that_is_stopped_stays_as_far_as_it_came() -> None:
    ghost = Ghost().writing(10).written(" the grey", finished=False)
    assert ghost.edited(typed(" the")).stopped().remaining(14) == " grey"
    assert ghost.edited(typed(" the grey")).stopped().offer is None
    assert Ghost().writing(10).stopped().offer is None
    assert Ghost().stopped() == Ghost()


def test_nothing_is_offered_after_a_deletion() -> None:
    check([*typed(" the"), Change(13, "e", "")], 13, "e grey sea.", quiet=True)
    check([*typed(" the"), Change(13, "e", ""), Change(13, "", "e")], 14, " grey sea.", quiet=True)
    check([*typed(" the"), Change(12, "he", ""), *typed("h", 12)], 13, "e grey sea.")
    check([Change(2, "word", "w")], 7, " the grey sea.", quiet=True)
    check([Change(2, "teh", "the")], 10, " the grey sea.")


def check_undo(expected: bool, *made: Change) -> None:
    assert Ghost().edited(made).quiet == expected


def test_an_undo_puts_back_what_was_taken_where_it_was() -> None:
    check_undo(True, Change(5, "grey", ""), Change(5, "", "grey"))
    check_undo(True, Change(8, "y", ""), Change(7, "e", ""), Change(6, "r", ""), Change(6, "", "rey"))
    check_undo(True, Change(5, "g", ""), Change(5, "r", ""), Change(5, "", "gr"))
    check_undo(True, Change(5, "grey", "blue"), Change(5, "blue", "grey"))
    check_undo(True, Change(5, "grey", ""), Change(0, "", "Oh "), Change(8, "", "grey"))
    check_undo(False, Change(5, "grey", ""), Change(6, "", "grey"))
    check_undo(False, Change(5, "grey", ""), Change(5, "", "g"))
    check_undo(False, Change(5, "grey", ""), Change(5, "", "blue"))
    check_undo(False, Change(5, "", "grey"))


def check_changes(text: str, edits: list[Edit], expected: list[Change]) -> None:
    assert list(changes(Document.open("file:///a.md", "markdown", 1, text), edits)) == expected


def test_changes_are_the_least_that_do_the_same() -> None:
    check_changes("the sea", [Edit(Span(4, 7), "see")], [Change(6, "a", "e")])
    check_changes("the sea", [Edit(Span(0, 7), "the grey sea")], [Change(4, "", "grey ")])
    check_changes("sea", [Edit(Span(3, 3), "s"), Edit(Span(3, 4), "")], [Change(3, "", "s"), Change(3, "s", "")])
    check_changes("🌊\r\nsea", [Edit(Span(1, 3), "")], [Change(1, "\r\n", "")])


TEXT = st.text("ab \n🌊’", max_size=12)


@given(TEXT, st.data())
def test_changes_made_one_after_another_give_the_new_text(text: str, data: st.DataObject) -> None:
    document = Document.open("file:///a.md", "markdown", 1, text)
    made: list[Edit] = []
    present = text
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(present)))
        end = data.draw(st.integers(start, len(present)))
        made.append(Edit(Span(start, end), data.draw(TEXT)))
        present = present[:start] + made[-1].text + present[end:]
    replayed = text
    for change in changes(document, made):
        end = change.start + len(change.removed)
        assert replayed[change.start : end] == change.removed
        replayed = replayed[: change.start] + change.inserted + replayed[end:]
    assert replayed == present


@given(st.text("ab “’", min_size=1), st.integers(0, 5), st.data())
def test_what_remains_is_what_was_offered_less_what_was_typed(text: str, offset: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(text)))
    ghost = offered(offset, text).edited(typed(text[:count], offset))
    assert (ghost.remaining(offset + count) or "") == text[count:]
    assert not ghost.quiet


@pytest.mark.parametrize("made", [(), (Change(3, "", ""),)])
def test_an_edit_that_changes_nothing_changes_nothing(made: tuple[Change, ...]) -> None:
    assert OFFERED.edited(made) == OFFERED
