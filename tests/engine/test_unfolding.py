"""A candidate's chunks make up its text, and it ends where a sentence does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tiny_models import tiny_tokenizer
from undersong.engine.unfolding import Unfolding
from undersong.model.tokens import decode, encode

TOKENIZER = tiny_tokenizer()


def unfolded(ids, stop: str, minimum: int = 1) -> tuple[Unfolding, list[str]]:
    row, chunks = Unfolding(TOKENIZER, stop, minimum), []
    for token in ids:
        chunks.append(row.take(token))
        if row.ended:
            break
    return row, [*chunks, row.close()]


# "é" and "“" are several tokens each: any cut of these may end inside a code point.
pieces = st.lists(st.sampled_from(["He ", "Mr. ", "went. ", '"No!" ', "é", " “", "...", "? ", " she", "🙂", "\t"])).map(
    "".join
)


@given(pieces, st.sampled_from(["sentence", "paragraph", "length"]), st.integers(1, 30), st.integers(0, 3))
def test_chunks_make_up_the_text_wherever_it_stops(text, stop, minimum, missing):
    ids = encode(TOKENIZER, text).ids
    row, chunks = unfolded(ids[: max(0, len(ids) - missing)], stop, minimum)
    assert "".join(chunks) == row.text
    assert text.startswith(row.text)
    assert decode(TOKENIZER, row.kept).startswith(row.text)
    assert not row.kept or len(decode(TOKENIZER, row.kept[:-1]).rstrip("\ufffd")) < len(row.text)


@pytest.mark.parametrize(
    ("text", "stop", "expected"),
    [
        (" He left. She stayed.", "sentence", " He left."),
        (' He said "No." She left', "sentence", ' He said "No."'),
        (' "Why?" she asked. He left', "sentence", ' "Why?" she asked.'),
        (" He was... well, ill. She left", "sentence", " He was... well, ill."),
        (" Mr. Smith met J. Brown. They", "sentence", " Mr. Smith met J. Brown."),
        (" It was 3.5 miles. Then", "sentence", " It was 3.5 miles."),
        (" He left.", "sentence", " He left."),
        (" He had gone as far as", "sentence", " He had gone as far as"),
        (" One. Two. Three and", "paragraph", " One. Two."),
        (" One. Two. Three.", "paragraph", " One. Two. Three."),
        (" One. Two and", "length", " One. Two and"),
        ("", "sentence", ""),
    ],
)
def test_where_a_candidate_ends(text, stop, expected):
    minimum = 100 if stop == "paragraph" else 1
    assert unfolded(encode(TOKENIZER, text).ids, stop, minimum)[0].text == expected


def test_half_a_character_at_the_end_is_left_out():
    ids = encode(TOKENIZER, " a 🙂").ids
    for stop in ("sentence", "length"):
        assert unfolded(ids[:-1], stop)[0].text.rstrip() == " a"
