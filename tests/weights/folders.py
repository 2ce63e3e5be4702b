"""A tiny folder of weights that the tests may spoil."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FILES = {
    "model/config.json": b"{}",
    "model/model.safetensors": bytes(range(256)) * 4,
    "saes/one/cfg.json": b"{}",
    "saes/one/reference.safetensors": b"numbers",
    "saes/one/steering.safetensors": b"directions",
    "catalogue.sqlite": b"features",
}


def manifest() -> dict:
    return {
        "format": 2,
        "name": "tiny",
        "model": "model",
        "typography": "plain",
        "measured": {"bits_per_character": 1.5},
        "saes": [
            {
                "path": "saes/one",
                "id": "3",
                "grain": "token",
                "roles": ["read", "steer"],
                "reference": "reference.safetensors",
                "steering": "steering.safetensors",
                "measured": {"explained_variance": 0.9, "dead": 0},
            }
        ],
        "catalogue": "catalogue.sqlite",
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()},
    }


def tiny(folder: Path, described: dict | None = None) -> Path:
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(described or manifest()), encoding="utf-8")
    return folder
