"""GGUF against llama.cpp's own package (`pip install gguf`): each reads what the other writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.sae.formats.making import random
from undersong.sae.formats.control_vectors import ControlVectors, read_control_vectors, write_control_vectors

gguf = pytest.importorskip("gguf")
# It reads through numpy.memmap, which leaves the file open until it is collected.
pytestmark = pytest.mark.filterwarnings("default")
DIRECTIONS = {1: random(9), 4: random(9, seed=1)}


def test_what_we_write_is_what_llama_cpps_package_reads(tmp_path: Path) -> None:
    held = gguf.GGUFReader(write_control_vectors(tmp_path / "v.gguf", ControlVectors(DIRECTIONS, "llama")))
    assert held.get_field("general.architecture").contents() == "controlvector"
    assert held.get_field("controlvector.model_hint").contents() == "llama"
    assert held.get_field("controlvector.layer_count").contents() == 2
    assert [(tensor.name, tensor.tensor_type.name) for tensor in held.tensors] == [
        ("direction.1", "F32"), ("direction.4", "F32"),
    ]  # fmt: skip
    for tensor, direction in zip(held.tensors, DIRECTIONS.values(), strict=True):
        assert torch.equal(torch.from_numpy(tensor.data.copy()), direction)


def test_what_llama_cpps_package_writes_is_read(tmp_path: Path) -> None:
    """As repeng's export_gguf calls it."""
    path = tmp_path / "v.gguf"
    writer = gguf.GGUFWriter(str(path), "controlvector")
    writer.add_string("controlvector.model_hint", "mistral")
    writer.add_uint32("controlvector.layer_count", len(DIRECTIONS))
    for block, direction in DIRECTIONS.items():
        writer.add_tensor(f"direction.{block}", direction.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found = read_control_vectors(path)
    assert found.model_hint == "mistral" and list(found.directions) == [1, 4]
    assert all(torch.equal(found.directions[block], direction) for block, direction in DIRECTIONS.items())
