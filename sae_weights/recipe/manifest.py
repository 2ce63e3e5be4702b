"""Writes manifest.json: the weights' parts, their figures, and the SHA-256 of every file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from undersong.engine.weights import FORMAT

NAME = "undersong-default"
N_LAYERS = 6
READ_LAYER = 3
PASSAGES, TOKENS = f"p{READ_LAYER}", str(READ_LAYER)
"""Ids of the SAEs that hints and steering use."""


@dataclass(frozen=True, slots=True)
class Part:
    """An SAE's folder, what it reads and what it is for."""

    path: str
    grain: str
    roles: tuple[str, ...]


SAES: dict[str, Part] = {
    PASSAGES: Part(f"saes/blocks.{READ_LAYER}.passage_resid_post", "passage", ("read", "steer")),
    **{
        str(layer): Part(
            f"saes/blocks.{layer}.hook_resid_post", "token", ("read", "steer") if layer == READ_LAYER else ("trace",)
        )
        for layer in range(N_LAYERS)
    },
}
"""By id. The others of the token grain are for causal graphs, which need every layer."""


def read_saes(folder: Path) -> dict[str, Path]:
    """Id -> folder of the SAEs that hints and steering use, the dictionary of passages first."""
    return {identity: folder / SAES[identity].path for identity in (PASSAGES, TOKENS)}


def write_manifest(folder: Path, measured: Mapping[str, float] = MappingProxyType({})) -> None:
    """Describes what is there: parts that have not been made yet are left out.

    `measured`: the model's figures on held-out text; an SAE's own are what its cfg.json says under metadata.measured.
    """
    saes = [_entry(folder, name) for name, part in SAES.items() if _is_there(folder / part.path)]
    for file in folder.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
    files = _hashes(folder)
    manifest = {
        "format": FORMAT,
        "name": NAME,
        "model": "model",
        "typography": "plain",
        "measured": dict(measured),
        "saes": saes,
        "catalogue": "catalogue.sqlite" if "catalogue.sqlite" in files else None,
        "files": files,
    }
    partial = folder / "manifest.json.partial"
    partial.write_text(json.dumps(manifest, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(partial, folder / "manifest.json")


def kept_figures(folder: Path) -> Mapping[str, float]:
    """`measured` of the manifest that is there, if model and SAEs are still those that it lists.

    The catalogue may have changed since: its figures are right again when figures.py has counted it.
    """
    file = folder / "manifest.json"
    if not file.is_file():
        return {}
    old = json.loads(file.read_text("utf-8"))
    return old.get("measured", {}) if _weights(old["files"]) == _weights(_hashes(folder)) else {}


def _weights(files: Mapping[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in files.items() if name.startswith(("model/", "saes/"))}


def _hashes(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "manifest.json" and not file.name.endswith((".part", ".partial", ".tmp"))
    }


def _is_there(folder: Path) -> bool:
    return (folder / "sae_weights.safetensors").is_file()


def _entry(folder: Path, identity: str) -> dict[str, object]:
    part = SAES[identity]
    metadata = json.loads((folder / part.path / "cfg.json").read_text("utf-8")).get("metadata", {})
    return {
        "path": part.path,
        "id": identity,
        "grain": part.grain,
        "roles": list(part.roles),
        "reference": _present(folder / part.path / "reference.safetensors"),
        "steering": _present(folder / part.path / "steering.safetensors"),
        "measured": metadata.get("measured", {}),
    }


def _present(file: Path) -> str | None:
    return file.name if file.is_file() else None
