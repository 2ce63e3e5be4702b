"""Pickles: opened by torch's weights-only reader, refused where they hold or are anything but tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.sae.formats import libraries, releases
from undersong.errors import WeightsFormat
from undersong.sae.formats import files
from undersong.sae.load import load_sae, read


class Thing:
    """What no file of weights should bring."""


def test_a_pickle_with_anything_but_tensors_is_refused(tmp_path: Path) -> None:
    sample = libraries.dl_standard(tmp_path)
    torch.save({**files.unpickle(tmp_path / "ae.pt", "cpu"), "thing": Thing()}, tmp_path / "ae.pt")
    with pytest.raises(WeightsFormat, match=r"plain values only .pickles are not run., found \S+test_pickles.Thing$"):
        load_sae(sample.path)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (b"", "is damaged or cut short"),
        (b"hello world, no pickle", "is damaged or cut short"),
        (bytes(range(256)), "found what torch cannot read$"),
        (b"\x80\x02}q\x00.", "is damaged or cut short"),
    ],
)
def test_what_is_no_pickle_is_refused(tmp_path: Path, held: bytes, message: str) -> None:
    sample = releases.goodfire(tmp_path)
    sample.path.write_bytes(held)
    with pytest.raises(WeightsFormat, match=message):
        load_sae(sample.path)


def test_a_pickle_of_parameters_is_read_without_their_gradients(tmp_path: Path) -> None:
    sample = libraries.dl_standard(tmp_path)
    parameters = {name: torch.nn.Parameter(held) for name, held in files.unpickle(tmp_path / "ae.pt", "cpu").items()}
    torch.save(parameters, tmp_path / "ae.pt")
    assert not any(tensor.requires_grad for tensor in read(sample.path).weights.values())
