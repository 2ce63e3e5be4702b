from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undersong.text.common import common_prefix, common_suffix


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([], [], 0),
        ([1], [], 0),
        ([1, 2, 3], [1, 2, 3], 3),
        ([1, 2, 3], [1, 2], 2),
        ([1, 2, 3], [9, 2, 3], 0),
        ([1, 2, 3, 4, 5], [1, 2, 9, 4, 5], 2),
    ],
)
def test_the_prefix_ends_at_the_first_difference(a: list[int], b: list[int], expected: int) -> None:
    assert common_prefix(a, b) == expected
    assert common_prefix(tuple(a), b) == expected


@given(st.lists(st.integers(0, 2)), st.lists(st.integers(0, 2)))
def test_it_is_what_counting_one_by_one_gives(a: list[int], b: list[int]) -> None:
    expected = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    assert common_prefix(a, b) == expected


rows = st.lists(st.integers(0, 2)).map(tuple)


@given(rows, rows, st.data())
def test_the_suffix_is_the_prefix_of_both_the_other_way_round(a: tuple[int, ...], b: tuple[int, ...], data) -> None:
    a_end, b_end = data.draw(st.integers(0, len(a))), data.draw(st.integers(0, len(b)))
    assert common_suffix(a, b, a_end, b_end) == common_prefix(a[:a_end][::-1], b[:b_end][::-1])
