from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.tiny_models import END, tiny_tokenizer
from undersong.model.tokens import Tokens, decode, encode
from undersong.text.span import Span

TOKENIZER = tiny_tokenizer()


def pieces(text: str) -> list[str]:
    return [text[span.start : span.end] for span in encode(TOKENIZER, text).spans]


def test_each_token_has_its_place_in_code_points() -> None:
    assert pieces("in the end") == ["in", " the", " ", "e", "n", "d"]


def test_the_pieces_of_one_character_share_its_span() -> None:
    tokens = encode(TOKENIZER, "a\N{GRINNING FACE}b")
    assert [(span.start, span.end) for span in tokens.spans] == [(0, 1), *[(1, 2)] * 4, (2, 3)]


def test_no_special_token_is_added_or_read_out_of_the_text() -> None:
    tokens = encode(TOKENIZER, f"a{END}")
    assert 0 not in tokens.ids
    assert decode(TOKENIZER, tokens.ids) == f"a{END}"
    assert decode(TOKENIZER, [0, *tokens.ids, 0]) == f"a{END}"


def test_an_empty_text_has_no_tokens() -> None:
    assert encode(TOKENIZER, "") == Tokens((), ())
    assert encode(TOKENIZER, "").token_range(Span(0, 0)) == range(0)


def test_a_span_gives_the_tokens_that_share_a_code_point_with_it() -> None:
    tokens = encode(TOKENIZER, "in the end")  # in| the| |e|n|d

    def check(start: int, end: int, expected: range) -> None:
        assert tokens.token_range(Span(start, end)) == expected

    check(0, 2, range(0, 1))
    check(1, 3, range(0, 2))
    check(3, 6, range(1, 2))
    check(0, 10, range(0, 6))
    assert len(tokens.token_range(Span(4, 4))) <= 1
    assert len(tokens.token_range(Span(10, 10))) == 0


@given(st.text(max_size=40))
def test_decoding_gives_the_text_back(text: str) -> None:
    assert decode(TOKENIZER, encode(TOKENIZER, text).ids) == text


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_range_is_just_the_overlapping_tokens(text: str, data: st.DataObject) -> None:
    tokens = encode(TOKENIZER, text)
    start = data.draw(st.integers(0, len(text) - 1))
    span = Span(start, data.draw(st.integers(start + 1, len(text))))
    overlapping = [index for index, own in enumerate(tokens.spans) if own.overlaps(span)]
    assert list(tokens.token_range(span)) == overlapping
