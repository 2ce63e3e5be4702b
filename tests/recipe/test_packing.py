"""Books become one stream; rows of it begin with BOS, mostly at a paragraph, and never cross into the next book."""

from __future__ import annotations

import numpy as np
import pytest
from corpus import Book
from hypothesis import given, settings
from hypothesis import strategies as st
from packing import REACH, Stream, encode_books, row_starts, rows
from tokenizer import BOS_ID, save_tokenizer, train_tokenizer
from transformers import AutoTokenizer

TEXT = 'The cat sat down.\nIt said: "I don\'t know, 1850!"\nShe laughed and laughed and went away again.'
BOOKS = [Book("One", "A", "core", TEXT), Book("Two", "B", "core", TEXT.upper())]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(BOOKS, 300)


def test_the_stream_is_the_books_text_with_a_line_break_after_each_paragraph(tokenizer):
    stream = encode_books(BOOKS, tokenizer)
    for book, begin, end in zip(BOOKS, stream.books[:-1], stream.books[1:], strict=True):
        assert tokenizer.decode(stream.ids[begin:end].tolist()) == book.text + "\n"
    assert tokenizer.decode(stream.ids[stream.paragraphs[1] :].tolist()).startswith('It said: "')


def test_transformers_reads_the_tokenizer_and_makes_the_same_tokens(tokenizer, tmp_path):
    save_tokenizer(tokenizer, tmp_path, 64)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded(TEXT)["input_ids"] == tokenizer.encode(TEXT).ids
    assert loaded.bos_token_id == BOS_ID
    assert loaded.decode(loaded("Curly “quotes” — and é")["input_ids"]) == "Curly “quotes” — and é"


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=20), min_size=1, max_size=4), st.integers(8, 40))
def test_rows_lie_in_one_book_and_skip_or_repeat_no_more_than_their_reach(books, length):
    paragraphs = np.cumsum([0, *(n for book in books for n in book)])
    borders = np.cumsum([0, *(sum(book) for book in books)])
    stream = Stream(np.arange(borders[-1], dtype=np.uint16), borders, paragraphs[:-1])
    starts = row_starts(stream, length)
    owner = np.searchsorted(borders, starts, side="right")
    assert (owner == np.searchsorted(borders, starts + length - 1, side="right")).all()
    gaps = np.diff(starts)[np.diff(owner) == 0] - length
    assert (np.abs(gaps) <= int(length * REACH)).all()
    taken = rows(stream, starts, length)
    assert taken.shape == (len(starts), length) and (taken[:, 0] == BOS_ID).all()
    assert (taken[:, 1:] == starts[:, None] + np.arange(length - 1)).all()


def test_a_row_begins_at_the_nearest_paragraph_within_reach():
    stream = Stream(np.arange(200, dtype=np.uint16), np.array([0, 200]), np.array([0, 15, 30, 44, 70]))
    # At the line breaks before 15, 30 and 44.
    assert row_starts(stream, 16).tolist()[:4] == [0, 14, 29, 43]
    # 59 has no paragraph near: the row goes on where the last one ended.
    assert row_starts(stream, 16).tolist()[4:6] == [59, 75]
