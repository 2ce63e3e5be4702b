from __future__ import annotations

import pytest

from undersong.text.span import Span, cover


@pytest.mark.parametrize(("start", "end"), [(-1, 0), (3, 2)])
def test_what_is_not_a_span_is_refused(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="not a span"):
        Span(start, end)


def test_an_empty_span_is_still_a_span() -> None:
    assert Span(2, 2) and len(Span(2, 2)) == 0 and not Span(2, 2).contains(2)


def test_spans_that_only_touch_do_not_overlap() -> None:
    assert not Span(0, 2).overlaps(Span(2, 4))
    assert Span(0, 3).overlaps(Span(2, 4))
    assert not Span(1, 1).overlaps(Span(0, 4))


def test_cover_clamp_shift_and_covers() -> None:
    assert cover([Span(4, 5), Span(1, 2)]) == Span(1, 5)
    assert Span(3, 9).clamp(5) == Span(3, 5) and Span(7, 9).clamp(5) == Span(5, 5)
    assert Span(1, 2).shift(3) == Span(4, 5)
    assert Span(1, 4).covers(Span(1, 4)) and not Span(1, 4).covers(Span(0, 2))
    with pytest.raises(ValueError, match="no spans"):
        cover([])
