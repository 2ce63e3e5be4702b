"""Books as one stream of tokens, and rows of equal length cut from it.

Every row begins with BOS, as the engine's windows do, and where it can with the line break before a paragraph: a row
that ends in the middle of one is followed by the row that begins at the paragraph's border nearest to that end.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from corpus import Book
from tokenizer import BOS_ID
from tokenizers import Tokenizer
from whole_files import written_whole

# A border this far from a row's end (share of the row) is taken; beyond it, text would be seen twice or not at all.
REACH = 0.125


@dataclass(frozen=True, slots=True)
class Stream:
    """`ids` [n_tokens] uint16; `books` [n_books + 1] and `paragraphs` [n_paragraphs]: where each begins."""

    ids: np.ndarray
    books: np.ndarray
    paragraphs: np.ndarray


def encode_books(books: list[Book], tokenizer: Tokenizer) -> Stream:
    ids: list[np.ndarray] = []
    borders, starts, length = [0], [], 0
    for book in books:
        for encoding in tokenizer.encode_batch([line + "\n" for line in book.text.split("\n") if line]):
            starts.append(length)
            ids.append(np.array(encoding.ids, dtype=np.uint16))
            length += len(encoding.ids)
        borders.append(length)
    return Stream(np.concatenate(ids), np.array(borders), np.array(starts))


def save_stream(stream: Stream, file: Path) -> None:
    # By an open file: given a path, numpy would end it in .npz.
    with written_whole(file) as part, part.open("wb") as opened:
        np.savez(opened, ids=stream.ids, books=stream.books, paragraphs=stream.paragraphs)


def load_stream(file: Path) -> Stream:
    with np.load(file) as arrays:
        return Stream(arrays["ids"], arrays["books"], arrays["paragraphs"])


def row_starts(stream: Stream, length: int) -> np.ndarray:
    """Where rows of `length` tokens begin: [n_rows]. No row crosses from one book into the next.

    A book's first row has no line break before it.
    """
    reach = int(length * REACH)
    breaks = stream.paragraphs - 1
    starts: list[int] = []
    for begin, end in zip(stream.books[:-1], stream.books[1:], strict=True):
        at = int(begin)
        while at + length <= end:
            starts.append(at)
            at += length
            after = int(np.searchsorted(breaks, at))
            near = [int(p) for p in breaks[max(0, after - 1) : after + 1] if begin <= p and abs(int(p) - at) <= reach]
            at = min(near, key=lambda p: abs(p - at)) if near else at
    return np.array(starts, dtype=np.int64)


def rows(stream: Stream, starts: np.ndarray, length: int) -> np.ndarray:
    """[len(starts), length] int64: BOS and the tokens from each start."""
    taken = stream.ids[starts[:, None] + np.arange(length - 1)].astype(np.int64)
    return np.concatenate([np.full((len(starts), 1), BOS_ID), taken], axis=1)
