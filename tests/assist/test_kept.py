"""Kept by identity: computed once for the same objects, anew for equal ones, never more than so many."""

from __future__ import annotations

import pytest

from undersong.assist.kept import by_identity


def test_the_same_objects_are_computed_once_and_equal_ones_anew() -> None:
    asked: list[tuple[object, object]] = []

    @by_identity(8)
    def pair(a: object, b: object) -> list[object]:
        asked.append((a, b))
        return [a, b]

    one = (1.5, "x")
    same = (*one,)
    assert pair(one, None) is pair(one, None)
    assert pair(same, None) == pair(one, None)
    assert pair(same, None) is not pair(one, None)
    assert len(asked) == 2


def test_the_least_used_goes_first_and_is_let_go() -> None:
    asked: list[object] = []

    @by_identity(2)
    def note(given: object) -> None:
        asked.append(given)

    first, second, third = object(), object(), object()
    for given in (first, second, first, third, first, second):
        note(given)
    assert asked == [first, second, third, second]


def test_an_object_that_is_kept_lends_its_identity_to_no_other() -> None:
    @by_identity(1000)
    def first_of(given: tuple[int, ...]) -> int:
        return given[0]

    assert [first_of((number, 0)) for number in range(1000)] == list(range(1000))


def test_arguments_by_name_are_refused() -> None:
    @by_identity(2)
    def same(given: object) -> object:
        return given

    with pytest.raises(AssertionError, match="by position"):
        same(given=1)
