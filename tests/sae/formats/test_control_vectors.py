"""Control vectors in GGUF, byte by byte as ggml's specification has it; tests/peers has its own package beside it."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.sae.formats.making import random
from undersong.errors import BadInput, WeightsFormat, WeightsMissing
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.formats.control_vectors import (
    ControlVectors,
    as_sae,
    matches,
    read_control_vectors,
    write_control_vectors,
)
from undersong.sae.formats.gguf import GGUF, write


def text(held: str) -> bytes:
    return struct.pack("<Q", len(held)) + held.encode()


def repeng(path: Path, directions: dict[int, Tensor], architecture: str = "controlvector", version: int = 3) -> Path:
    """As the gguf package writes what repeng's export_gguf and EasySteer's hand it."""
    values = [
        text("general.architecture") + struct.pack("<I", 8) + text(architecture),
        text(f"{architecture}.model_hint") + struct.pack("<I", 8) + text("mistral"),
        text(f"{architecture}.layer_count") + struct.pack("<II", 4, len(directions)),
        # What nobody asks for is stepped over: a list of texts, a list of numbers, a truth.
        text("tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("bc"),
        text("scores") + struct.pack("<IIQ2f", 9, 6, 2, 1.0, 2.0),
        text("chat") + struct.pack("<I?", 7, True),
    ]
    infos, data = b"", b""
    for block, direction in directions.items():
        sizes = tuple(reversed(direction.shape))
        kind = {torch.float32: 0, torch.float16: 1}[direction.dtype]
        infos += text(f"direction.{block}") + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
        infos += struct.pack("<IQ", kind, len(data))
        data += direction.numpy().tobytes()
        data += bytes(-len(data) % 32)
    header = b"GGUF" + struct.pack("<IQQ", version, len(directions), len(values)) + b"".join(values) + infos
    path.write_bytes(header + bytes(-len(header) % 32) + data)
    return path


@pytest.mark.parametrize("version", [2, 3])
def test_what_repeng_writes_is_read(tmp_path: Path, version: int) -> None:
    path = repeng(tmp_path / "v.gguf", {1: random(9), 2: random(9, seed=1)}, version=version)
    found = read_control_vectors(path)
    assert matches(path) and found.model_hint == "mistral" and list(found.directions) == [1, 2]
    assert torch.equal(found.directions[1], random(9)) and torch.equal(found.directions[2], random(9, seed=1))


def test_directions_come_back_as_they_were_written(tmp_path: Path) -> None:
    vectors = ControlVectors({3: random(16, seed=1), 1: random(16, seed=2)}, "llama")
    path = write_control_vectors(tmp_path / "v.gguf", vectors)
    found = read_control_vectors(path)
    assert found.model_hint == "llama" and list(found.directions) == [1, 3]
    assert all(torch.equal(found.directions[block], direction) for block, direction in vectors.directions.items())
    assert GGUF(path).values["controlvector.layer_count"] == 2
    assert [file.name for file in tmp_path.iterdir()] == ["v.gguf"]


def test_sizes_stand_the_fastest_first(tmp_path: Path) -> None:
    held = GGUF(write(tmp_path / "v.gguf", {"general.architecture": "x"}, {"m": random(2, 5)}))
    assert held.entries[0].sizes == (5, 2) and torch.equal(held.tensor(held.entries[0]), random(2, 5))


@pytest.mark.parametrize(
    ("directions", "architecture", "message"),
    [
        ({1: random(8)}, "llama", "general.architecture: expected controlvector, found 'llama'"),
        ({0: random(8)}, "controlvector", r"expected tensors direction.N, N from 1, .*; found direction.0 \[8\]"),
        ({1: random(8), 2: random(9)}, "controlvector", r"of one length, found lengths \[8, 9\]"),
        ({1: random(8).half()}, "controlvector", "direction.1: expected float32, found ggml type 1"),
        ({1: random(2, 8)}, "controlvector", r"found direction.1 \[8, 2\]"),
        ({1: torch.full((8,), float("nan"))}, "controlvector", "expected finite directions"),
        ({}, "controlvector", r"found lengths \[\]"),
    ],
)
def test_a_file_that_llama_cpp_would_not_use_is_refused(
    tmp_path: Path, directions: dict[int, Tensor], architecture: str, message: str
) -> None:
    with pytest.raises(WeightsFormat, match=message):
        read_control_vectors(repeng(tmp_path / "v.gguf", directions, architecture))


@pytest.mark.parametrize("held", [b"", b"nothing of the kind" * 10, b"GGUF" + struct.pack("<IQQ", 1, 0, 0)])
def test_what_is_no_gguf_is_refused(tmp_path: Path, held: bytes) -> None:
    (tmp_path / "v.gguf").write_bytes(held)
    with pytest.raises(WeightsFormat, match=r"is damaged or no GGUF"):
        read_control_vectors(tmp_path / "v.gguf")


@pytest.mark.parametrize("kept", [30, 120, 250, -4])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    whole = repeng(tmp_path / "v.gguf", {1: random(8), 2: random(8)}).read_bytes()
    (tmp_path / "v.gguf").write_bytes(whole[:kept])
    with pytest.raises(WeightsFormat, match=r"is damaged or"):
        read_control_vectors(tmp_path / "v.gguf")


@pytest.mark.parametrize("size", [0, 2**40, 2**63])
def test_a_size_that_the_file_cannot_hold_is_refused(tmp_path: Path, size: int) -> None:
    path = repeng(tmp_path / "v.gguf", {1: random(8)})
    entry = text("direction.1") + struct.pack("<IQ", 1, 8)
    path.write_bytes(path.read_bytes().replace(entry, text("direction.1") + struct.pack("<IQ", 1, size)))
    with pytest.raises(WeightsFormat, match=rf"direction.1: expected 4 bytes for each of {size} numbers, found"):
        read_control_vectors(path)


def test_a_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"there is no file"):
        read_control_vectors(tmp_path / "w.gguf")


def test_block_0_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(WeightsFormat, match=r"llama.cpp cannot steer what leaves block 0"):
        write_control_vectors(tmp_path / "v.gguf", ControlVectors({0: random(8)}))
    assert not list(tmp_path.iterdir())


def test_as_an_sae_a_vector_reads_how_many_times_it_is_there_and_adds_itself() -> None:
    direction = random(8)
    config, weights = as_sae(ControlVectors({3: direction}), None)
    sae = ARCHITECTURES[config.architecture]("3", config, weights)
    x = torch.stack([2.5 * direction, -direction])
    torch.testing.assert_close(sae.encode(x), torch.tensor([[2.5], [0.0]]))
    assert torch.equal(sae.directions([0])[0], direction) and str(config.point) == "blocks.3.hook_resid_post"


@pytest.mark.parametrize(
    ("directions", "block", "error", "message"),
    [
        ({1: random(8), 2: random(8)}, None, BadInput, "expected --block, one of 1, 2"),
        ({1: random(8)}, 2, BadInput, "--block: expected one of 1, found 2"),
        ({1: torch.zeros(8)}, 1, WeightsFormat, "expected a vector that has a length, found zeros"),
    ],
)
def test_what_makes_no_sae_is_refused(
    directions: dict[int, Tensor], block: int | None, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        as_sae(ControlVectors(directions), block)
