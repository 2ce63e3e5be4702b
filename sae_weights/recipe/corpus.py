"""The books that the weights may be made from, and windows of tokens cut from them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zstandard

WINDOW = 512


@dataclass(frozen=True, slots=True)
class Book:
    title: str
    author: str
    text: str


@dataclass(frozen=True, slots=True)
class Windows:
    """`ids` [n_windows, WINDOW], each beginning with BOS; `book` [n_windows] is an index into the books."""

    ids: np.ndarray
    book: np.ndarray


def read_books(corpus: Path) -> list[Book]:
    """The core tier without the books that are in the public domain in the United States only.

    Books are separated by three newlines; which is which is told by the SHA-256 in manifest.json.
    """
    packed = (corpus / "fiction-core.txt.zst").read_bytes()
    whole = zstandard.ZstdDecompressor().decompress(packed, max_output_size=400_000_000).decode("ascii")
    rows = [row for row in json.loads((corpus / "manifest.json").read_text()) if row["tier"] == "core"]
    texts = [text.strip("\n") for text in whole.split("\n\n\n") if text.strip("\n")]
    # The file's order is not the manifest's, so a book is known by its hash.
    known = {row["sha256"]: row for row in rows}
    books: list[Book] = []
    for text in texts:
        row = known.get(hashlib.sha256(text.encode()).hexdigest())
        if row is None:
            raise SystemExit(f"a book that the manifest does not list: {text[:60]!r}")
        if not row["us_pd_only"]:
            books.append(Book(row["title"], row["author"], text))
    return books


def cut_windows(books: list[Book], tokenizer, count: int, seed: int) -> Windows:
    """About `count` windows spread over the books by the square root of their length, then shuffled.

    The square root keeps a few long novels from being most of what is seen.
    """
    generator = np.random.default_rng(seed)
    sizes = np.array([len(book.text) for book in books], dtype=float) ** 0.5
    shares = np.maximum(1, np.round(sizes / sizes.sum() * count)).astype(int)
    ids, owners = [], []
    for number, (book, share) in enumerate(zip(books, shares, strict=True)):
        # Characters are cut first: a window holds about 2,000 of them, and most of a long book is not needed.
        starts = _starts(book.text, int(share), generator)
        for encoding in tokenizer.encode_batch([book.text[start : start + 3200] for start in starts]):
            if len(encoding.ids) >= WINDOW - 1:
                ids.append([0, *encoding.ids[: WINDOW - 1]])
                owners.append(number)
    order = generator.permutation(len(ids))
    return Windows(np.array(ids, dtype=np.uint16)[order], np.array(owners, dtype=np.int32)[order])


def _starts(text: str, share: int, generator: np.random.Generator) -> list[int]:
    """Beginnings of paragraphs, one in each of `share` equal stretches of the book."""
    stretch = max(len(text) - 3200, 1) / share
    found: list[int] = []
    for i in range(share):
        start = int(i * stretch + generator.random() * max(stretch - 2600, 1))
        line = text.find("\n", start, start + 4000)
        found.append(line + 1 if line >= 0 else start)
    return found
