from __future__ import annotations

import pytest
from hypothesis import given

from undersong.text.sentences import sentences

from .strategies import anything


@pytest.mark.parametrize(
    ("prose", "expected"),
    [
        ("", []),
        ("   ", []),
        ("One.  Two! ", ["One.", "Two!"]),
        ("“Where to?” he asked. 😀 Mr. Smith knew.", ["“Where to?” he asked.", "😀 Mr. Smith knew."]),
        ("It cost $3.50 then. No more", ["It cost $3.50 then.", "No more"]),
    ],
)
def test_sentences_have_no_white_space_around_them(prose: str, expected: list[str]) -> None:
    assert [prose[span.start : span.end] for span in sentences(prose)] == expected


@given(anything)
def test_sentences_cover_all_but_white_space_in_order(prose: str) -> None:
    end = 0
    for span in sentences(prose):
        assert not prose[end : span.start].strip() and len(span) > 0
        end = span.end
    assert not prose[end:].strip()
