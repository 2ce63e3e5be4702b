"""The held-out books as tokens, in windows that begin with BOS; every token is predicted in exactly one of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from corpus import Book
from torch import Tensor

from undersong.engine.passages import as_written
from undersong.model.language_model import LanguageModel
from undersong.model.tokens import encode
from undersong.text.typography import PlainText, Style, dress

Reading = Callable[[str], PlainText]
"""A paragraph's prose as the model sees it."""

SAY_EVERY = 15.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True, slots=True)
class Text:
    """`ids` [n_tokens]; `characters` [n_tokens]: how many of the prose each stands for; `books` [n_books + 1]."""

    ids: np.ndarray
    characters: np.ndarray
    books: np.ndarray


@dataclass(frozen=True, slots=True)
class Windows:
    """`ids` [n, length], BOS first, filled up with BOS; of each window `tokens` [n] follow that first one."""

    ids: Tensor
    tokens: Tensor
    characters: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: Tensor | slice) -> Windows:
        return Windows(self.ids[chosen], self.tokens[chosen], self.characters[chosen])


def ordinary(books: Sequence[Book]) -> list[list[str]]:
    """Book by book, the proses of its paragraphs."""
    return [[line for line in book.text.split("\n") if line] for book in books]


def typographic(books: Sequence[Book]) -> list[list[str]]:
    """As a modern draft is set: curly quotes, em dashes, the character for an ellipsis."""
    return [[dress(prose, Style()) for prose in proses] for proses in ordinary(books)]


def tokens_of(model: LanguageModel, books: Sequence[Sequence[str]], reading: Reading = as_written) -> Text:
    """A line break follows each paragraph, as in training; the engine puts one before each."""
    ids: list[int] = []
    characters: list[int] = []
    borders = [0]
    for proses in books:
        for prose in proses:
            read = reading(prose)
            tokens = encode(model.tokenizer, read.text + "\n")
            starts = [read.to_prose_offset(span.start) for span in tokens.spans]
            ids += tokens.ids
            # What stands before a token and is in none belongs to the one before.
            characters += np.diff([0, *starts[1:], len(prose) + 1]).tolist()
        borders.append(len(ids))
    return Text(np.array(ids, dtype=np.int64), np.array(characters, dtype=np.int64), np.array(borders))


def windows(text: Text, length: int, bos: int) -> Windows:
    """Side by side, each in one book; a book's last window may be shorter."""
    ids: list[np.ndarray] = []
    tokens: list[int] = []
    characters: list[int] = []
    for begin, end in zip(text.books[:-1], text.books[1:], strict=True):
        for start in range(int(begin), int(end), length - 1):
            stop = min(start + length - 1, int(end))
            row = np.full(length, bos, dtype=np.int64)
            row[1 : stop - start + 1] = text.ids[start:stop]
            ids.append(row)
            tokens.append(stop - start)
            characters.append(int(text.characters[start:stop].sum()))
    return Windows(torch.from_numpy(np.stack(ids)), torch.tensor(tokens), torch.tensor(characters))


def spread(rows: Windows, most: int | None) -> Windows:
    """At most `most` windows, evenly from all."""
    if most is None or most >= len(rows):
        return rows
    return rows[torch.linspace(0, len(rows) - 1, most).round().long()]


def whole(rows: Windows) -> Windows:
    """Without those that are shorter."""
    return rows[rows.tokens == rows.ids.shape[1] - 1]


def batches(rows: Windows, size: int, what: str) -> Iterator[Windows]:
    """`size` windows at a time, with progress on stderr now and then."""
    said = time.monotonic()
    for start in range(0, len(rows), size):
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            print(f"{what}: {start} of {len(rows)} windows", file=sys.stderr, flush=True)
        yield rows[start : start + size]
