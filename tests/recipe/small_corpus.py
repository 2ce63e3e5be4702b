"""Two short held-out books, packed as the corpus packs them, and tiny weights to measure on them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import zstandard

from tests.support.tiny_models import write_weights

BOOKS = (
    'The sea was grey--as grey as slate... He said: "It\'s nothing, I tell you!"\nShe laughed, and went in.\n' * 3,
    "There were two roads to the mill; the longer--the old road, I mean--wasn't used.\nNobody knew why.\n" * 2,
)


def write_corpus(folder: Path) -> Path:
    folder.mkdir(parents=True)
    texts = [text.strip("\n") for text in BOOKS]
    (folder / "fiction-heldout.txt.zst").write_bytes(zstandard.compress("\n\n\n".join(texts).encode()))
    rows = [
        {
            "title": f"Book {number}",
            "author": "A",
            "tier": "heldout",
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "us_pd_only": False,
        }
        for number, text in enumerate(texts)
    ]
    (folder / "manifest.json").write_text(json.dumps(rows))
    return folder


def write_shipped(folder: Path) -> Path:
    """Tiny weights with a manifest of format 2 that states no figure."""
    write_weights(folder)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    manifest = {
        "format": 2,
        "name": "tiny",
        "model": "model",
        "typography": "plain",
        "measured": {},
        "saes": [
            {
                "path": f"saes/{name}",
                "id": name,
                "grain": "passage" if name == "p2" else "token",
                "roles": ["read"],
                "reference": None,
                "steering": None,
                "measured": {},
            }
            for name in ("1", "2", "p2")
        ],
        "catalogue": None,
        "files": {f.relative_to(folder).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
