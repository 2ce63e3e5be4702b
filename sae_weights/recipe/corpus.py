"""The books that the weights may be made from, and the held-out ones that they are measured on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import zstandard

TRAINING = ("core", "more")
HELD_OUT = "heldout"


@dataclass(frozen=True, slots=True)
class Book:
    """`text`: plain ASCII, one paragraph a line."""

    title: str
    author: str
    tier: str
    text: str

    @property
    def source(self) -> str:
        return f"{self.title}, {self.author}"


def read_training_books(corpus: Path) -> list[Book]:
    """Both training tiers without the books that are in the public domain in the United States only."""
    return [book for tier in TRAINING for book in read_tier(corpus, tier, leave_out_us_only=True)]


def read_heldout_books(corpus: Path) -> list[Book]:
    """Four whole books: measured on, never trained on."""
    return read_tier(corpus, HELD_OUT, leave_out_us_only=False)


def read_tier(corpus: Path, tier: str, *, leave_out_us_only: bool) -> list[Book]:
    """A tier's books in the order of its file, where three newlines separate them.

    Raises SystemExit for files that are not there and for a book that manifest.json does not list. The file's order is
    not the manifest's: a book is known by the SHA-256 of its text.
    """
    for file in (f"fiction-{tier}.txt.zst", "manifest.json"):
        if not (corpus / file).is_file():
            raise SystemExit(f"{corpus}: expected the corpus of fiction, found no {file}")
    packed = (corpus / f"fiction-{tier}.txt.zst").read_bytes()
    whole = zstandard.ZstdDecompressor().decompress(packed, max_output_size=400_000_000).decode("ascii")
    rows = {row["sha256"]: row for row in json.loads((corpus / "manifest.json").read_text()) if row["tier"] == tier}
    books: list[Book] = []
    for text in (piece.strip("\n") for piece in whole.split("\n\n\n")):
        if not text:
            continue
        digest = hashlib.sha256(text.encode()).hexdigest()
        row = rows.get(digest)
        if row is None:
            raise SystemExit(
                f"expected books of tier {tier} as manifest.json lists them, found {text[:60]!r} ({digest})"
            )
        if not (leave_out_us_only and row["us_pd_only"]):
            books.append(Book(row["title"], row["author"], tier, text))
    return books
