"""Positions and offsets are one another's inverse, in every encoding, whatever the line holds."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from undersong.lsp.capabilities import PositionEncoding
from undersong.lsp.edits import edits, smallest
from undersong.lsp.positions import Positions, well_formed
from undersong.text.document import Document
from undersong.text.edits import Edit
from undersong.text.span import Span

ENCODINGS: tuple[PositionEncoding, ...] = ("utf-8", "utf-16", "utf-32")
UNITS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
# ASCII, two and three bytes, astral, combining, ZWJ, BOM, and separators that are no line ends to an editor.
ALPHABET = "ab .é—“ñ\u0301\u200d\ufeff😀𝒳\u2028\u2029\u0085\x0b\x0c\x1c\r\n"
TEXTS = st.one_of(st.text(ALPHABET, max_size=60), st.text(max_size=40).filter(lambda text: well_formed(text) == text))


def document(text: str) -> Document:
    return Document.open("file:///a", "plaintext", 1, text)


def in_a_line_end(text: str, offset: int) -> bool:
    return text[offset - 1 : offset + 1] == "\r\n" and offset > 0


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS, at=st.integers(0, 60))
def test_every_offset_comes_back(encoding: PositionEncoding, text: str, at: int) -> None:
    offset = min(at, len(text))
    positions, opened = Positions(encoding), document(text)
    found = positions.offset(opened, positions.position(opened, offset))
    # Between CR and LF there is no position: an editor cannot be there.
    assert found == (offset - 1 if in_a_line_end(text, offset) else offset)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS, line=st.integers(0, 12), units=st.integers(0, 40))
def test_a_position_is_counted_as_a_naive_model_counts_it(
    encoding: PositionEncoding, text: str, line: int, units: int
) -> None:
    codec, width = UNITS[encoding]
    lines = re.split(r"(\r\n|\r|\n)", text)  # line, line end, line, ...
    if 2 * line >= len(lines):
        expected = len(text)
    else:
        expected = len("".join(lines[: 2 * line]))
        taken = 0
        for character in lines[2 * line]:
            taken += len(character.encode(codec)) // width
            if taken > units:
                break
            expected += 1
    assert Positions(encoding).offset(document(text), types.Position(line, units)) == expected


@pytest.mark.parametrize(
    ("encoding", "text", "position", "offset"),
    [
        ("utf-16", "a😀b", (0, 3), 2),
        ("utf-16", "a😀b", (0, 2), 1),  # inside the pair: the character's start
        ("utf-8", "a😀b", (0, 5), 2),
        ("utf-8", "a😀b", (0, 4), 1),
        ("utf-32", "a😀b", (0, 2), 2),
        ("utf-16", "a\u2028b\nc", (1, 0), 4),  # U+2028 ends no line
        ("utf-16", "a\r\nb", (0, 99), 1),  # past the end of the line
        ("utf-16", "a\rb", (1, 1), 3),
        ("utf-16", "a\n", (7, 0), 2),  # past the last line
        ("utf-16", "", (0, 0), 0),
        ("utf-16", "", (3, 3), 0),
    ],
)
def test_known_positions(encoding: PositionEncoding, text: str, position: tuple[int, int], offset: int) -> None:
    assert Positions(encoding).offset(document(text), types.Position(*position)) == offset


def test_offsets_outside_the_text_are_clamped() -> None:
    opened = document("ab\ncd")
    assert Positions().position(opened, -5) == types.Position(0, 0)
    assert Positions().position(opened, 99) == types.Position(1, 2)


@pytest.mark.parametrize("text", ["a\ud800b", "\udc00", "😀\udfff"])
def test_a_lone_surrogate_becomes_one_replacement_character(text: str) -> None:
    assert len(well_formed(text)) == len(text)
    assert "\ufffd" in well_formed(text)
    well_formed(text).encode()


@given(before=TEXTS, after=TEXTS)
def test_the_smallest_edit_makes_the_new_text(before: str, after: str) -> None:
    edit = smallest(before, after)
    assert document(before).apply([edit], 2).text == after
    if before == after:
        assert edit == Edit(Span(len(before), len(before)), "")


def change(line: int, start: int, end: int, text: str) -> types.TextDocumentContentChangePartial:
    where = types.Range(types.Position(line, start), types.Position(line, end))
    return types.TextDocumentContentChangePartial(where, text)


def test_each_change_counts_in_the_text_that_the_one_before_it_leaves() -> None:
    found = edits(Positions("utf-16"), document("one\ntwo"), [change(0, 0, 0, "😀\n"), change(1, 3, 3, "!")], 5)
    assert found.document.text == "😀\none!\ntwo"
    assert found.document.version == 5
    assert document("one\ntwo").apply(found.edits, 5).text == found.document.text


def test_a_whole_text_change_is_an_edit_of_what_differs() -> None:
    found = edits(
        Positions(),
        document("The sea was grey."),
        [types.TextDocumentContentChangeWholeDocument("The sea is grey.")],
        2,
    )
    assert found.edits == (Edit(Span(8, 11), "is"),) or found.document.text == "The sea is grey."


def test_the_end_of_a_ten_megabyte_line_is_found() -> None:
    for character in "a—😀":
        opened = document(character * 2_500_000)
        for encoding in ENCODINGS:
            positions = Positions(encoding)
            assert positions.offset(opened, positions.position(opened, 2_499_999)) == 2_499_999
