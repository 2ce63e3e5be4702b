"""The folder of weights that is loaded: where it is, what its manifest says, whether its files are the ones meant.

    manifest.json   {"format": 2, "name", "model", "typography", "measured": {figure: number}, "saes": [...],
                     "catalogue", "files": {path: sha256}}
    of "saes"       {"path", "id", "grain", "roles", "reference", "steering", "measured": {figure: number}}

Every path in a manifest is relative to its folder, with forward slashes, and stays inside it. No torch here: the
command line checks weights without loading them.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, cast, get_args

import undersong
from undersong.errors import HashMismatch, WeightsFormat, WeightsMissing

MANIFEST = "manifest.json"
FORMAT = 2
MOST = sys.float_info.max

Typography = Literal["plain", "any"]
Grain = Literal["token", "passage"]
Role = Literal["read", "steer", "trace"]

_KEYS = ("format", "name", "model", "typography", "measured", "saes", "catalogue", "files")
_SAE_KEYS = ("path", "id", "grain", "roles", "reference", "steering", "measured")


@dataclass(frozen=True, slots=True)
class SAEEntry:
    """One SAE: `path` its folder; `reference` and `steering` files in that folder, None where there is none.

    `reference`: statistics (presence.py); `steering`: what is added for a feature instead of the decoder's row
    (directions.py). `roles`: hints are read with it, text is steered with it, causal graphs are traced through it;
    the engine loads those that read or steer. `measured`: figures on held-out text.
    """

    path: str
    id: str
    grain: Grain
    roles: tuple[Role, ...]
    reference: str | None
    steering: str | None
    measured: Mapping[str, float]

    @property
    def is_loaded(self) -> bool:
        """Whether the engine loads it: what only traces is there for circuits."""
        return "read" in self.roles or "steer" in self.roles


@dataclass(frozen=True, slots=True)
class Manifest:
    """`typography` "plain": the model knows ASCII punctuation only, so text is put to it in that form.

    `model` is a folder; `catalogue` a file or None; `files` maps every file to its SHA-256, in hexadecimal.
    `measured`: the model's figures on held-out text.
    """

    name: str
    model: str
    typography: Typography
    measured: Mapping[str, float]
    saes: tuple[SAEEntry, ...]
    catalogue: str | None
    files: Mapping[str, str]

    def steers(self, feature: str) -> bool:
        """Whether the SAE of a feature id is one to steer with; what the feature does is the catalogue's to say."""
        sae = feature.rpartition(".")[0]
        return any(entry.id == sae and "steer" in entry.roles for entry in self.saes)


def find_default() -> Path:
    """The default weights: of the installed wheel, or else of the checkout that this package runs from."""
    package = Path(undersong.__file__).resolve().parent
    places = (package / "default_weights", package.parents[1] / "sae_weights" / "default")
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    raise WeightsMissing(f"expected the default weights at {' or '.join(map(str, places))}, found neither")


def read_manifest(path: Path) -> Manifest:
    """The manifest of the folder `path`. WeightsMissing if there is none, WeightsFormat if it is not as above."""
    file = path / MANIFEST
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise WeightsMissing(f"{file}: no such file; expected a folder of weights with its manifest") from error
    except UnicodeDecodeError as error:
        raise WeightsFormat(f"{file}: expected UTF-8, found byte {error.object[error.start]:#04x}") from error
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise WeightsFormat(f"{file}: expected JSON, found an error at line {error.lineno}: {error.msg}") from error
    return _manifest(_Reader(file, "", data))


def verify(path: Path, manifest: Manifest) -> None:
    """Hashes every listed file. WeightsMissing for one that is absent, HashMismatch for one that is not as listed."""
    for name, expected in manifest.files.items():
        file = path / name
        try:
            with file.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise WeightsMissing(f"{file}: listed in {MANIFEST}, but there is no such file") from error
        if found != expected:
            raise HashMismatch(
                f"{file}: expected SHA-256 {expected}, found {found} ({file.stat().st_size} bytes); "
                "the file is truncated or was changed"
            )


def _manifest(reader: _Reader) -> Manifest:
    reader.keys(_KEYS)
    if reader.data["format"] != FORMAT:
        raise reader.wrong("format", str(FORMAT), reader.data["format"])
    files = {name: reader.sha256(name, digest) for name, digest in reader.mapping("files").items()}
    saes = tuple(_entry(item) for item in reader.items("saes"))
    ids = [sae.id for sae in saes]
    if len(set(ids)) != len(ids):
        raise reader.wrong("saes", "a different id for each", ids)
    manifest = Manifest(
        name=reader.string("name"),
        model=reader.path("model"),
        typography=cast(Typography, reader.choice("typography", get_args(Typography))),
        measured=reader.numbers("measured"),
        saes=saes,
        catalogue=None if reader.data["catalogue"] is None else reader.path("catalogue"),
        files=files,
    )
    _require_listed(reader, manifest)
    return manifest


def _entry(reader: _Reader) -> SAEEntry:
    reader.keys(_SAE_KEYS)
    roles = reader.data["roles"]
    if not isinstance(roles, list) or not roles or any(role not in get_args(Role) for role in roles):
        raise reader.wrong("roles", f"a list of {', '.join(get_args(Role))}", roles)
    return SAEEntry(
        path=reader.path("path"),
        id=reader.string("id"),
        grain=cast(Grain, reader.choice("grain", get_args(Grain))),
        roles=tuple(roles),
        reference=None if reader.data["reference"] is None else reader.path("reference"),
        steering=None if reader.data["steering"] is None else reader.path("steering"),
        measured=reader.numbers("measured"),
    )


def _require_listed(reader: _Reader, manifest: Manifest) -> None:
    """What is loaded must be hashed: each folder has a listed file, each single file is listed."""
    folders = [manifest.model, *(sae.path for sae in manifest.saes)]
    single = [f"{sae.path}/{file}" for sae in manifest.saes for file in (sae.reference, sae.steering) if file]
    if manifest.catalogue is not None:
        single.append(manifest.catalogue)
    for folder in folders:
        if not any(name.startswith(folder + "/") for name in manifest.files):
            raise reader.wrong("files", f"files of {folder!r} with their SHA-256", None)
    for name in single:
        if name not in manifest.files:
            raise reader.wrong("files", f"{name!r} with its SHA-256", None)


@dataclass(frozen=True, slots=True)
class _Reader:
    """A JSON object and where it stands, so that every complaint says what was expected and what was found."""

    file: Path
    where: str
    data: Any

    def wrong(self, key: str, expected: str, found: object) -> WeightsFormat:
        described = "nothing" if found is None else repr(found)
        return WeightsFormat(f"{self.file}: {self.where}{key}: expected {expected}, found {described}")

    def keys(self, expected: tuple[str, ...]) -> None:
        if not isinstance(self.data, dict):
            raise self.wrong("", "an object", type(self.data).__name__)
        for key in expected:
            if key not in self.data:
                raise self.wrong(key, "this key", None)
        for key in self.data:
            if key not in expected:
                raise self.wrong(str(key), f"one of {', '.join(expected)}", key)

    def string(self, key: str) -> str:
        value = self.data[key]
        if not isinstance(value, str) or not value:
            raise self.wrong(key, "text", value)
        return value

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        if self.data[key] not in allowed:
            raise self.wrong(key, " or ".join(map(repr, allowed)), self.data[key])
        return self.string(key)

    def path(self, key: str) -> str:
        return self.inside(key, self.string(key))

    def inside(self, key: str, value: str) -> str:
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value or str(path) != value:
            raise self.wrong(key, "a relative path inside the folder", value)
        return value

    def mapping(self, key: str) -> dict[str, object]:
        if not isinstance(self.data[key], dict):
            raise self.wrong(key, "an object", type(self.data[key]).__name__)
        return self.data[key]

    def numbers(self, key: str) -> dict[str, float]:
        found = self.mapping(key)
        for name, value in found.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MOST:
                raise self.wrong(f"{key}.{name}", "a number", value)
        return cast("dict[str, float]", found)

    def items(self, key: str) -> list[_Reader]:
        if not isinstance(self.data[key], list):
            raise self.wrong(key, "a list", type(self.data[key]).__name__)
        return [_Reader(self.file, f"{self.where}{key}[{i}].", item) for i, item in enumerate(self.data[key])]

    def sha256(self, name: str, digest: object) -> str:
        self.inside("files", name)
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise self.wrong(f"files.{name}", "a SHA-256 in lower-case hexadecimal", digest)
        return digest
