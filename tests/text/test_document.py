from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span

from .strategies import anything, document, drafts, edit_scripts


def starts_of(text: str) -> list[int]:
    """The slow way: a line ends after LF, and after CR that no LF follows."""
    ends = (at for at, mark in enumerate(text) if mark == "\n" or (mark == "\r" and text[at + 1 : at + 2] != "\n"))
    return [0, *(at + 1 for at in ends)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\nb\r\nc\rd", ["a", "b", "c", "d"]),
        ("a\n", ["a", ""]),
        ("\r\r\n\n", ["", "", "", ""]),
        ("a\u2028b\x85c\x0cd\x0be\x1cf\u2029g", ["a\u2028b\x85c\x0cd\x0be\x1cf\u2029g"]),
    ],
)
def test_lines_end_at_lf_crlf_and_cr_only(text: str, lines: list[str]) -> None:
    found = document(text)
    assert [found.slice(found.line_span(line)) for line in range(found.line_count)] == lines


@pytest.mark.parametrize(
    ("text", "edits", "expected"),
    [
        ("ab", [Edit(Span(1, 1), "\r"), Edit(Span(2, 2), "\n")], "a\r\nb"),  # two edits, one CRLF
        ("a\r\nb", [Edit(Span(2, 2), "x")], "a\rx\nb"),  # one CRLF torn in two
        ("a\rx\nb", [Edit(Span(2, 3), "")], "a\r\nb"),
        ("a\r\nb", [Edit(Span(1, 2), "")], "a\nb"),
        ("a\r\nb", [Edit(Span(2, 3), "")], "a\rb"),
        ("\nb", [Edit(Span(0, 0), "\r")], "\r\nb"),
        ("a\r", [Edit(Span(2, 2), "\n")], "a\r\n"),
        ("abc", [Edit(Span(2, 99), "x"), Edit(Span(50, 60), "y")], "abxy"),  # past the end: clamped
        ("a\nb", [Edit(Span(0, 3), "")], ""),
    ],
)
def test_edits_one_after_another(text: str, edits: list[Edit], expected: str) -> None:
    after = document(text).apply(edits, 7)
    assert (after.text, after.version) == (expected, 7)
    assert list(after.starts) == starts_of(expected)


@given(anything)
def test_the_line_index_is_that_of_the_slow_way(text: str) -> None:
    found = document(text)
    assert list(found.starts) == starts_of(text)
    for offset in range(len(text) + 1):
        line = found.line_of(offset)
        assert found.line_start(line) <= offset <= found.line_start(line + 1)
        assert not re.search(r"[\r\n]", found.slice(found.line_span(line)))


@given(st.data())
def test_the_line_index_after_edits_is_that_of_a_fresh_document(data: st.DataObject) -> None:
    text = data.draw(drafts("plaintext"))
    found = document(text)
    for batch in data.draw(edit_scripts(text, "plaintext")):
        before = (found.text, list(found.starts))
        after = found.apply(batch, found.version + 1)
        assert list(after.starts) == starts_of(after.text)
        assert (found.text, list(found.starts)) == before  # the old snapshot is as it was
        found = after


def test_past_the_end_is_the_end() -> None:
    found = document("ab\n")
    assert found.line_of(99) == 1 and found.line_start(99) == 3 and found.line_span(99) == Span(3, 3)
    assert found.line_of(-1) == 0 and found.line_start(-1) == 0


def test_a_keystroke_in_a_megabyte_and_in_one_line_of_ten_takes_milliseconds() -> None:
    for text in ("A line of the draft, wrapped by hand at some seventy columns or so.\n" * 15_000, "word " * 2_000_000):
        found = Document.open("file:///draft", "plaintext", 0, text)
        found = found.apply([Edit(Span(len(text) // 2, len(text) // 2), "x")], 1)
        began = time.perf_counter()
        for version in range(10):
            found = found.apply([Edit(Span(len(text) // 2, len(text) // 2), "x")], version)
        assert (time.perf_counter() - began) / 10 < 0.1
