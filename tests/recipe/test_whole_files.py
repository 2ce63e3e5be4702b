"""What a step is known by is written last and in one piece, so that an interrupted step is done again."""

from __future__ import annotations

from pathlib import Path

import collect
import numpy as np
import pytest
import torch
from corpus import Book
from describe import save_evidence
from detection import write_quizzes
from language_model import LanguageModel, Shape, export
from packing import Stream, save_stream
from reference import _save
from sae_files import write_sae
from steering_directions import write_directions
from tokenizer import save_tokenizer, train_tokenizer
from whole_files import written_whole

SHAPE = Shape(vocab_size=8, d_model=4, n_layers=1, n_heads=1, d_mlp=4, context=8)
STREAM = Stream(np.arange(4, dtype=np.uint16), np.array([0, 4]), np.array([0]))
SAE = {"W_enc": torch.ones(4, 2), "b_enc": torch.ones(2), "W_dec": torch.ones(2, 4), "b_dec": torch.ones(4)}


def collected(folder: Path) -> None:
    patch = pytest.MonkeyPatch()
    with patch.context() as small:
        small.setattr(collect, "_windows", lambda *_: collect.Windows(np.zeros((1, 64), np.uint16), np.zeros(1, int)))
        for name, value in {"WINDOW": 64, "SEGMENTS": 1, "N_REFERENCE": 1}.items():
            small.setattr(collect, name, value)
        model = LanguageModel(Shape(**{**_fields(SHAPE), "context": 64}))
        collect.collect(model, STREAM, [0], folder, torch.device("cpu"))


def _fields(shape: Shape) -> dict:
    return {name: getattr(shape, name) for name in shape.__slots__}


WRITERS = {
    "tokenizer.json": lambda folder: save_tokenizer(train_tokenizer([Book("", "", "", "a")], 260), folder, 8),
    "model.safetensors": lambda folder: export(LanguageModel(SHAPE), folder, {}),
    "sae_weights.safetensors": lambda folder: write_sae(folder, SAE, 0, 1, {}, {}),
    "steering.safetensors": lambda folder: write_directions(torch.ones(2, 4), folder),
    "reference.safetensors": lambda folder: _save({"max": torch.ones(2)}, folder / "reference.safetensors", {}),
    "train.npz": lambda folder: save_stream(STREAM, folder / "train.npz"),
    "residual_0.npy": collected,
    "evidence_3.json": lambda folder: save_evidence([{}], folder, "3"),
    "key.json": lambda folder: write_quizzes([], 1, folder, []),
}


@pytest.mark.parametrize("tested", WRITERS)
def test_a_step_is_known_by_the_file_that_it_writes_last(tmp_path, tested):
    WRITERS[tested](tmp_path)
    others = [file for file in tmp_path.iterdir() if file.name != tested]
    assert all(file.stat().st_mtime_ns <= (tmp_path / tested).stat().st_mtime_ns for file in others)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("tested", WRITERS)
def test_an_interrupted_step_leaves_no_such_file_and_is_done_again(tmp_path, tested, monkeypatch):
    def killed(self: Path, target: Path) -> None:
        if target.name == tested:
            raise KeyboardInterrupt
        self.rename(target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            WRITERS[tested](tmp_path)
    assert not (tmp_path / tested).exists()
    WRITERS[tested](tmp_path)
    assert (tmp_path / tested).exists()


def test_what_was_there_stays_until_the_new_file_is_whole(tmp_path):
    file = tmp_path / "figures.json"
    file.write_text("[1]")

    def interrupted() -> None:
        with written_whole(file) as part:
            part.write_text("[2, ")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_text() == "[1]"
