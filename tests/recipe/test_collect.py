"""Windows are cut once; layers may be read at different times."""

from __future__ import annotations

import collect
import numpy as np
import pytest
import torch
from collect import load_segments, load_windows
from language_model import LanguageModel, Shape
from packing import Stream

SHAPE = Shape(vocab_size=16, d_model=8, n_layers=3, n_heads=2, d_mlp=8, context=96)
IDS = np.random.default_rng(0).integers(1, 16, 6000).astype(np.uint16)
STREAM = Stream(IDS, np.array([0, 2000, 6000]), np.arange(0, 6000, 40) + 1)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    values = {"WINDOW": 96, "SEGMENTS": 2, "N_WINDOWS": 20, "N_REFERENCE": 6, "N_CHECK": 4, "BATCH": 5}
    for name, value in values.items():
        monkeypatch.setattr(collect, name, value)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(2)
    return LanguageModel(SHAPE).requires_grad_(False)


def read(model, layers, work):
    work.mkdir(exist_ok=True)
    collect.collect(model, STREAM, layers, work, torch.device("cpu"))


def test_a_layer_that_is_read_later_is_read_in_the_same_windows(model, tmp_path):
    read(model, [1, 2], tmp_path / "together")
    read(model, [1], tmp_path / "apart")
    before = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "apart").iterdir()}
    read(model, [1, 2], tmp_path / "apart")
    assert before.items() <= {file.name: file.stat().st_mtime_ns for file in (tmp_path / "apart").iterdir()}.items()
    for file in (tmp_path / "together").iterdir():
        if file.suffix == ".npy":
            assert (np.load(file) == np.load(tmp_path / "apart" / file.name)).all()


def test_what_is_kept_is_the_residual_of_the_windows(model, tmp_path):
    read(model, [1], tmp_path)
    windows = load_windows(tmp_path)
    x = model.residuals(torch.from_numpy(windows.ids.astype(np.int64)))[1]
    kept = torch.from_numpy(np.load(tmp_path / "residual_1.npy")).float()
    torch.testing.assert_close(kept, x[:6, 1:], atol=5e-3, rtol=5e-3)
    means = torch.stack([x[:, 32:64].mean(1), x[:, 64:].mean(1)], dim=1)
    torch.testing.assert_close(load_segments(tmp_path, 1), means, atol=5e-3, rtol=5e-3)
