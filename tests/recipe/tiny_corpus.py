"""A corpus of nonsense in the real one's format: five books of paragraphs, each about one of five things."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import zstandard

THEMES = {
    "sea": ["ship", "sail", "wave", "captain", "deck", "anchor", "storm", "harbour", "sailor", "mast"],
    "kitchen": ["bread", "butter", "kettle", "oven", "spoon", "soup", "plate", "cook", "flour", "dinner"],
    "law": ["judge", "lawyer", "court", "jury", "witness", "prison", "verdict", "trial", "crime", "guilt"],
    "garden": ["rose", "hedge", "lawn", "spade", "apple", "blossom", "seed", "gardener", "orchard", "bee"],
}
FRAMES = ("The {0} was near the {1}.", "He looked at the {0} and then at the {1}.", "There was a {0} by the old {1}.")


def paragraph(theme: str, dice: random.Random) -> str:
    return " ".join(dice.choice(FRAMES).format(*dice.sample(THEMES[theme], 2)) for _ in range(dice.randint(2, 6)))


def write_corpus(folder: Path, paragraphs: int = 260) -> Path:
    dice = random.Random(4)
    rows: list[dict] = []
    for tier, count in (("core", 3), ("more", 2), ("heldout", 1)):
        books = ["\n".join(paragraph(dice.choice(list(THEMES)), dice) for _ in range(paragraphs)) for _ in range(count)]
        for number, book in enumerate(books):
            digest = hashlib.sha256(book.encode()).hexdigest()
            title = f"{tier} {number}"
            rows.append(
                {"title": title, "author": "A", "tier": tier, "sha256": digest, "us_pd_only": title == "more 1"}
            )
        packed = zstandard.ZstdCompressor().compress("\n\n\n".join(books).encode("ascii"))
        (folder / f"fiction-{tier}.txt.zst").write_bytes(packed)
    (folder / "manifest.json").write_text(json.dumps(rows[::-1]))
    return folder
