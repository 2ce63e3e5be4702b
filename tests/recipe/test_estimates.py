"""Figures of sums with their standard errors."""

from __future__ import annotations

import math

import pytest
import torch
from estimates import Sums


def test_the_error_of_a_mean_is_the_usual_one_and_does_not_depend_on_how_rows_come():
    values = torch.randn(16, generator=torch.Generator().manual_seed(0)).double()
    one, many = Sums(16), Sums(16)
    one.add({"x": values, "n": torch.ones(16)})
    for value in values:
        many.add({"x": value[None], "n": torch.ones(1)})
    for sums in (one, many):
        mean = sums.estimate(lambda total: {"mean": float(total["x"] / total["n"])})["mean"]
        assert mean.value == pytest.approx(float(values.mean()))
        assert mean.error == pytest.approx(float(values.std()) / 4)


def test_neighbours_are_one_group_so_that_what_holds_for_a_stretch_is_not_taken_for_many_rows():
    """Of 32 stretches of 8 rows that are all alike, the error of the mean is that of 32 values."""
    values = torch.randn(32, generator=torch.Generator().manual_seed(0)).double()
    sums = Sums(256)
    sums.add({"x": values.repeat_interleave(8), "n": torch.ones(256)})
    mean = sums.estimate(lambda total: {"mean": float(total["x"] / total["n"])})["mean"]
    assert mean.error == pytest.approx(float(values.std()) / math.sqrt(32))


@pytest.mark.parametrize("rows", [1, 31, 32, 33, 550])
def test_groups_are_as_even_as_they_can_be(rows):
    sums = Sums(rows)
    sums.add({"n": torch.ones(rows)})
    sizes = [float(group["n"]) for group in sums._groups]
    assert len(sizes) == min(rows, 32) and sum(sizes) == rows and max(sizes) - min(sizes) <= 1


def test_a_single_row_says_nothing_of_its_error_and_too_few_are_refused():
    with pytest.raises(ValueError, match="expected some rows, found 0"):
        Sums(0).estimate(lambda total: {})
    sums = Sums(1)
    with pytest.raises(ValueError, match="expected 1 rows, found 0"):
        sums.estimate(lambda total: {})
    sums.add({"x": torch.ones(1)})
    assert sums.estimate(lambda total: {"x": float(total["x"])})["x"].error == math.inf
