"""Writes manifest.json: the weights' parts and the SHA-256 of every file.  python manifest.py FOLDER"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

NAME = "undersong-seed"

# Folder -> (id, grain, roles). Layers 2 and 4 are there for layer-by-layer questions; hints need only layer 3.
SAES: dict[str, tuple[str, str, list[str]]] = {
    "saes/blocks.2.hook_resid_post": ("2", "token", ["steer"]),
    "saes/blocks.3.hook_resid_post": ("3", "token", ["read", "steer"]),
    "saes/blocks.3.passage_resid_post": ("p3", "passage", ["read", "steer"]),
    "saes/blocks.4.hook_resid_post": ("4", "token", ["steer"]),
}


def write_manifest(folder: Path) -> None:
    """Describes what is there: parts that have not been made yet are left out."""
    saes: list[dict[str, object]] = []
    for path, (identity, grain, roles) in SAES.items():
        if (folder / path / "sae_weights.safetensors").is_file():
            reference = "reference.safetensors" if (folder / path / "reference.safetensors").is_file() else None
            saes.append({"path": path, "id": identity, "grain": grain, "roles": roles, "reference": reference})
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    files = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "manifest.json" and not file.name.endswith((".partial", ".tmp"))
    }
    manifest = {
        "format": 1,
        "name": NAME,
        "model": "model",
        "typography": "plain",
        "saes": saes,
        "catalogue": "catalogue.sqlite" if "catalogue.sqlite" in files else None,
        "files": files,
    }
    partial = folder / "manifest.json.partial"
    partial.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / "manifest.json")


if __name__ == "__main__":
    write_manifest(Path(sys.argv[1]))
