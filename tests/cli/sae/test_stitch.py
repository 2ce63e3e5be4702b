from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from tests.support.tiny_models import write_model, write_sae
from undersong.cli.sae import stitch
from undersong.errors import BadInput
from undersong.sae.load import load_sae


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stitch")
    write_model(folder / "model")
    write_sae(folder / "a", architecture="jumprelu", layer=1, d_sae=48, seed=1)
    write_sae(folder / "b", architecture="standard", layer=1, d_sae=96, seed=2)
    write_sae(folder / "topk", layer=1, seed=2)
    write_sae(folder / "p", architecture="standard", layer=1, seed=2, grain="passage")
    (folder / "text.txt").write_text("The sea was calm and the ship went on through snow. \n" * 60)
    return folder


def parsed(folder: Path, a: str, b: str, out: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    stitch.add_arguments(parser)
    words = [str(folder / a), str(folder / b), "--model", str(folder / "model"), "--data", str(folder / "text.txt")]
    return parser.parse_args([*words, "--out", str(out), "--tokens", "1000", "--context", "32", "--device", "cpu"])


def test_two_saes_are_stitched_and_judged(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stitch.run(parsed(folder, "a", "b", tmp_path)) == 0
    stated = json.loads((tmp_path / "stitch.json").read_text())
    assert sum(stated["kinds"].values()) == 96 and set(stated["saes"]) == {"A", "B", "added", "swapped"}
    assert stated["saes"]["added"]["features"] == 48 + stated["effect"]["new"]["lower_the_error"]
    lines = (tmp_path / "features.tsv").read_text().splitlines()
    assert len(lines) == 97 and lines[1].split("\t")[1] in ("new", "refines", "dead")
    for name in ("added", "swapped"):
        written = load_sae(tmp_path / name)
        assert written.config.architecture == "jumprelu" and written.d_sae == stated["saes"][name]["features"]
    assert "B's features" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"A": 1.0, "B": 3.0, "added": 0.5, "swapped": 1.0}, []),
        (
            {"A": 1.0, "B": 0.5, "added": 1.25, "swapped": 2.0},
            [
                "added rebuilds worse than A: a squared error of 1.25, A has 1",
                "swapped rebuilds worse than A: a squared error of 2, A has 1",
            ],
        ),
    ],
)
def test_a_stitched_sae_that_rebuilds_worse_is_told_of(errors: dict[str, float], said: list[str]) -> None:
    stated = {
        "kinds": dict.fromkeys(stitch.KINDS, 1),
        "effect": {kind: {"lower_the_error": 1} for kind in stitch.KINDS[:2]},
        "auc_of_similarity": None,
        "saes": {name: {"mse": error} for name, error in errors.items()},
        "unstitched": None,
    }
    assert [line for line in stitch.summary(stated) if "worse" in line] == said


def test_saes_without_a_stitched_form_are_compared_all_the_same(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stitch.run(parsed(folder, "a", "topk", tmp_path)) == 0
    stated = json.loads((tmp_path / "stitch.json").read_text())
    assert set(stated["saes"]) == {"A", "B"} and "whose features do not compete" in stated["unstitched"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["features.tsv", "stitch.json"]
    said = capsys.readouterr().out
    assert "no stitched SAE was made: expected an SAE whose features do not compete" in said and "added/" not in said


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_threshold_is_a_cosine(folder: Path, tmp_path: Path, threshold: float) -> None:
    arguments = parsed(folder, "a", "b", tmp_path)
    arguments.threshold = threshold
    with pytest.raises(BadInput, match="--threshold: expected a cosine above 0, at most 1; found"):
        stitch.run(arguments)


def test_saes_of_two_grains_are_refused_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="expected SAEs of one grain"):
        stitch.run(parsed(folder, "a", "p", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
