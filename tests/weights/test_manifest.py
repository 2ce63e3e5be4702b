from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import undersong
from undersong.engine.weights import SAEEntry, find_default, read_manifest, verify
from undersong.errors import HashMismatch, WeightsFormat, WeightsMissing

from .folders import FILES, manifest, tiny

# --- what is right is taken ------------------------------------------------------------------------------------


def test_a_manifest_is_read_as_written(tmp_path: Path):
    found = read_manifest(tiny(tmp_path))
    assert (found.name, found.model, found.typography, found.catalogue) == (
        "tiny",
        "model",
        "plain",
        "catalogue.sqlite",
    )
    (sae,) = found.saes
    assert sae == SAEEntry(
        path="saes/one",
        id="3",
        grain="token",
        roles=("read", "steer"),
        reference="reference.safetensors",
        steering="steering.safetensors",
        measured={"explained_variance": 0.9, "dead": 0},
    )
    assert found.measured == {"bits_per_character": 1.5}
    verify(tmp_path, found)


def test_a_file_that_is_not_listed_does_no_harm(tmp_path: Path):
    (tiny(tmp_path) / ".DS_Store").write_bytes(b"from a file manager")
    verify(tmp_path, read_manifest(tmp_path))


def test_weights_may_come_without_catalogue_and_statistics(tmp_path: Path):
    described = manifest() | {"catalogue": None}
    described["saes"][0] |= {"reference": None, "steering": None, "measured": {}}
    found = read_manifest(tiny(tmp_path, described))
    assert (found.catalogue, found.saes[0].reference, found.saes[0].steering) == (None, None, None)


@pytest.mark.parametrize("roles", [["trace"], ["steer"], ["read", "trace"], ["read", "steer", "trace"]])
def test_an_sae_may_have_any_roles(tmp_path: Path, roles: list[str]):
    assert read_manifest(tiny(tmp_path, with_sae(roles=roles))).saes[0].roles == tuple(roles)


# --- files that are not as listed ------------------------------------------------------------------------------


def flip_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5])


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("spoil", [flip_a_byte, truncate, empty])
def test_a_changed_file_is_named_with_what_was_expected_and_found(tmp_path: Path, spoil):
    file = tiny(tmp_path) / "model/model.safetensors"
    spoil(file)
    with pytest.raises(HashMismatch) as caught:
        verify(tmp_path, read_manifest(tmp_path))
    message = caught.value.message
    assert str(file) in message
    assert f"expected SHA-256 {hashlib.sha256(FILES['model/model.safetensors']).hexdigest()}" in message
    assert f"found {hashlib.sha256(file.read_bytes()).hexdigest()} ({file.stat().st_size} bytes)" in message


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    (tiny(tmp_path) / name).unlink()
    with pytest.raises(WeightsMissing, match=f"{name}: listed in manifest.json"):
        verify(tmp_path, read_manifest(tmp_path))


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path):
    (tiny(tmp_path) / "catalogue.sqlite").unlink()
    (tmp_path / "catalogue.sqlite").mkdir()
    with pytest.raises(WeightsMissing, match=r"catalogue\.sqlite"):
        verify(tmp_path, read_manifest(tmp_path))


# --- manifests that are not as they should be ------------------------------------------------------------------


def changed(**values: object) -> dict:
    return manifest() | values


def with_sae(**values: object) -> dict:
    described = manifest()
    described["saes"][0] |= values
    return described


def without(key: str) -> dict:
    described = manifest()
    del described[key]
    return described


REFUSED = {
    "an earlier format": (changed(format=1), "format: expected 2, found 1"),
    "a missing key": (without("typography"), "typography: expected this key, found nothing"),
    "an unknown key": (changed(modell="x"), "modell: expected one of format, name"),
    "an unknown typography": (changed(typography="curly"), "typography: expected 'plain' or 'any', found 'curly'"),
    "an empty name": (changed(name=""), "name: expected text, found ''"),
    "a path that leaves the folder": (changed(model="../model"), "model: expected a relative path inside the folder"),
    "an absolute path": (with_sae(path="/saes/one"), r"saes\[0\].path: expected a relative path"),
    "a listed path that leaves the folder": (changed(files={"../x": "0" * 64}), "files: expected a relative path"),
    "a digest that is none": (
        changed(files={"model/config.json": "12"}),
        "files.model/config.json: expected a SHA-256",
    ),
    "an SAE without a key": (changed(saes=[{"path": "saes/one"}]), r"saes\[0\].id: expected this key"),
    "an SAE that is no object": (changed(saes=["saes/one"]), r"saes\[0\].: expected an object, found 'str'"),
    "SAEs that are no list": (changed(saes={}), "saes: expected a list, found 'dict'"),
    "an unknown grain": (with_sae(grain="chapter"), r"saes\[0\].grain: expected 'token' or 'passage'"),
    "a grain that is no text": (with_sae(grain=[]), r"saes\[0\].grain: expected 'token' or 'passage'"),
    "an unknown role": (with_sae(roles=["sing"]), r"saes\[0\].roles: expected a list of read, steer, trace"),
    "no role": (with_sae(roles=[]), r"saes\[0\].roles"),
    "a role that is no text": (with_sae(roles=[{}]), r"saes\[0\].roles"),
    "two SAEs of one id": (changed(saes=manifest()["saes"] * 2), "saes: expected a different id for each"),
    "a catalogue that is not hashed": (changed(catalogue="other.sqlite"), "files: expected 'other.sqlite'"),
    "statistics that are not hashed": (
        with_sae(reference="r.safetensors"),
        "files: expected 'saes/one/r.safetensors'",
    ),
    "steering directions that are not hashed": (
        with_sae(steering="s.safetensors"),
        "files: expected 'saes/one/s.safetensors'",
    ),
    "steering directions elsewhere": (
        with_sae(steering="../s.safetensors"),
        r"saes\[0\].steering: expected a relative path",
    ),
    "figures that are no object": (changed(measured=[]), "measured: expected an object, found 'list'"),
    "a figure that is no number": (
        with_sae(measured={"dead": "none"}),
        r"saes\[0\].measured.dead: expected a number, found 'none'",
    ),
    "a figure that is a truth": (changed(measured={"dead": False}), "measured.dead: expected a number, found False"),
    "a figure that is not finite": (
        changed(measured={"nats": float("nan")}),
        "measured.nats: expected a number, found nan",
    ),
    "a figure that no float can hold": (changed(measured={"nats": 10**400}), "measured.nats: expected a number"),
    "a model that is not hashed": (
        changed(model="models"),
        "files: expected files of 'models' with their SHA-256, found nothing",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_manifest_is_refused_with_what_was_expected(tmp_path: Path, case: str):
    described, message = REFUSED[case]
    with pytest.raises(WeightsFormat, match=message):
        read_manifest(tiny(tmp_path, described))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"format": 2,', "expected JSON, found an error at line 1"),
        (b"\xff\xfe", "expected UTF-8, found byte 0xff"),
        (b"[]", "expected an object, found 'list'"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, data: bytes, message: str):
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(WeightsFormat, match=message):
        read_manifest(tmp_path)


@pytest.mark.parametrize("where", ["", "nowhere"])
def test_a_folder_without_manifest_is_no_weights(tmp_path: Path, where: str):
    with pytest.raises(WeightsMissing, match=r"manifest\.json: no such file"):
        read_manifest(tmp_path / where)


# --- finding the default ---------------------------------------------------------------------------------------


def install(package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package.mkdir(parents=True)
    monkeypatch.setattr(undersong, "__file__", str(package / "__init__.py"))
    return package


def test_the_weights_of_an_installed_wheel_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = install(tmp_path / "server" / "undersong", monkeypatch)
    tiny(tmp_path / "sae_weights" / "default")
    assert find_default() == tmp_path / "sae_weights" / "default"
    tiny(package / "default_weights")
    assert find_default() == package / "default_weights"


def test_no_default_weights_are_said_with_the_places_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    install(tmp_path / "server" / "undersong", monkeypatch)
    with pytest.raises(WeightsMissing, match=r"default_weights or .*sae_weights/default, found neither"):
        find_default()
