"""A paragraph is not replaced by one that goes the other way."""

from __future__ import annotations

import pytest

from undersong.assist.requests import Asked
from undersong.errors import EngineFailure
from undersong.lsp.commands.steering import _check_way
from undersong.wire import Effect, Receipt


def receipt(strength: float, before: float, after: float) -> Receipt:
    return Receipt((Effect("p3.1", "money", strength, before, after),), (), 0.9, None, 20, 0, "m")


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.99), (0.99, 0.99), (0.99, 0.96), (0.0, 0.0)])
def test_more_may_stay_as_it_was(before: float, after: float) -> None:
    _check_way(Asked("p3.1", "money", 0.5), receipt(0.5, before, after))


@pytest.mark.parametrize(
    ("strength", "before", "after"), [(0.5, 0.99, 0.0), (0.5, 0.5, 0.4), (-1.0, 0.0, 0.0), (-1.0, 0.3, 0.9)]
)
def test_the_other_way_is_refused(strength: float, before: float, after: float) -> None:
    with pytest.raises(EngineFailure, match="‹money›"):
        _check_way(Asked("money", "money", strength), receipt(strength, before, after))


def test_less_of_what_is_there_is_written() -> None:
    _check_way(Asked("p3.1", "money", -1.0), receipt(-1.0, 0.9, 0.0))
