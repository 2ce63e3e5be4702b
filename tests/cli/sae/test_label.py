from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sae.labelling.test_endpoint import Server, says
from tests.sae.labelling.test_labels import EXPLANATIONS, write_export
from tests.support.tiny_models import write_model, write_sae
from undersong.catalogue.store import Catalogue
from undersong.cli.sae import label
from undersong.cli.sae.progress import ProgressLine
from undersong.errors import BadInput
from undersong.sae.labelling.labels import Label


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("label")
    write_model(folder / "model")
    write_sae(folder / "a", layer=1, seed=1)
    write_sae(folder / "p", layer=1, seed=1, grain="passage", k=4)
    (folder / "texts").mkdir()
    (folder / "texts/sea.txt").write_text("The grey sea rose over the harbour wall and fell again.\n" * 120)
    (folder / "texts/snow.txt").write_text("Snow lay on the roofs of the old town that night.\n" * 120)
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def parsed(folder: Path, sae: str, out: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    label.add_arguments(parser)
    common = [str(folder / sae), "--model", str(folder / "model"), "--device", "cpu", "--out", str(out)]
    return parser.parse_args([*common, "--tokens", "1500", "--per-side", "6", *words])


@pytest.mark.parametrize("sae", ["a", "p"])
def test_features_are_named_offline(folder: Path, tmp_path: Path, sae: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--data", str(folder / "texts"), "--features", "0-19,40"]
    assert label.run(parsed(folder, sae, tmp_path, *words)) == 0
    lines = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 21 and json.loads(lines[0])["names"] == "keyness"
    catalogue = Catalogue.open(tmp_path / "catalogue.sqlite")
    card = catalogue.card("1.40" if sae == "a" else "p1.40")
    assert card is not None and card.frequency is not None
    catalogue.close()
    said = capsys.readouterr().out
    assert "21 features" in said
    assert "43 were not tried: hints have those by id, and leave out what was tried and is not shown" in said


def test_a_second_run_names_what_is_left(folder: Path, tmp_path: Path) -> None:
    words = ["--data", str(folder / "texts")]
    label.run(parsed(folder, "a", tmp_path, *words, "--features", "0-3"))
    before = (tmp_path / "labels.jsonl").read_text()
    label.run(parsed(folder, "a", tmp_path, *words, "--features", "0-5"))
    after = (tmp_path / "labels.jsonl").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 1 + 6
    arguments = parsed(folder, "a", tmp_path, *words)
    arguments.tokens = 999
    with pytest.raises(BadInput, match="found another tokens;"):
        label.run(arguments)


def test_an_endpoint_names_and_judges(folder: Path, tmp_path: Path, server: Server) -> None:
    server.replies = [says("EXPLANATION: Boats.\nNAME: boats\n[1, 0, 1, 0, 1]")] * 400
    words = ["--data", str(folder / "texts"), "--names", "endpoint", "--endpoint", server.url]
    words += ["--endpoint-model", "small", "--features", "0-7", "--parallel", "3"]
    assert label.run(parsed(folder, "a", tmp_path, *words)) == 0
    labels = [json.loads(line) for line in (tmp_path / "labels.jsonl").read_text().splitlines()[1:]]
    assert {each["feature"] for each in labels} == set(range(8))
    named = [each for each in labels if each["name"]]
    assert named and all(each["provenance"] == "small: its strongest passages" for each in named)
    catalogue = Catalogue.open(tmp_path / "catalogue.sqlite")
    assert all(name.startswith("boats") for name in catalogue.names().values())
    catalogue.close()
    assert all(body["model"] == "small" for _, _, body in server.requests)


def test_a_failing_endpoint_keeps_what_was_named(folder: Path, tmp_path: Path, server: Server) -> None:
    server.replies = [(401, {}, {})] * 40
    words = ["--data", str(folder / "texts"), "--names", "endpoint", "--endpoint", server.url]
    with pytest.raises(BadInput, match="answered 401"):
        label.run(parsed(folder, "a", tmp_path, *words, "--endpoint-model", "m", "--features", "0-30"))
    assert (tmp_path / "labels.jsonl").exists() and not (tmp_path / "catalogue.sqlite").exists()


def test_what_is_being_asked_when_one_fails_is_kept() -> None:
    begun = threading.Barrier(2)

    def name(feature: int) -> Label:
        if feature > 1:
            raise AssertionError("asked after a failure")
        begun.wait()
        if feature == 0:
            raise BadInput("no")
        time.sleep(0.2)
        return Label(feature, "x", "", "p")

    kept: list[Label] = []
    with pytest.raises(BadInput, match="no"):
        list(label.each(name, range(9), kept.append, 2))
    assert kept == [Label(1, "x", "", "p")]


@pytest.mark.parametrize("parallel", ["1", "2"])
def test_ctrl_c_keeps_what_is_being_asked_and_says_how_to_go_on(
    folder: Path, tmp_path: Path, server: Server, parallel: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server.replies = [says("EXPLANATION: Boats.\nNAME: boats\n[1, 0, 1, 0, 1]")] * 400
    words = ["--data", str(folder / "texts"), "--names", "endpoint", "--endpoint", server.url]
    words += ["--endpoint-model", "small", "--features", "0-30", "--parallel", parallel]

    class Interrupted(ProgressLine):
        def __call__(self, what: str, done: int, of: int) -> None:
            if what == "naming" and done == 3:
                raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(label, "ProgressLine", Interrupted)
        assert label.run(parsed(folder, "a", tmp_path, *words)) == 130
    lines = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert 3 <= len(lines) - 1 <= 5
    assert f"labels.jsonl has {len(lines) - 1} labels, the same command goes on" in capsys.readouterr().err
    assert label.run(parsed(folder, "a", tmp_path, *words)) == 0
    after = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert after[: len(lines)] == lines and len(after) == 1 + 31


def test_imported_names_are_scored_where_there_is_text(folder: Path, tmp_path: Path) -> None:
    export = write_export(
        tmp_path / "export", explanations=[{"index": n, "description": "the sea", "typeName": None} for n in range(64)]
    )
    words = ["--names", "neuronpedia", "--export", str(export), "--data", str(folder / "texts")]
    assert label.run(parsed(folder, "a", tmp_path / "out", *words)) == 0
    labels = [json.loads(line) for line in (tmp_path / "out/labels.jsonl").read_text().splitlines()[1:]]
    scored = [each for each in labels if each["detection"] is not None]
    assert len(labels) == 64 and scored and all(each["judge"] == "the words of the name" for each in scored)


def test_an_export_of_a_wider_sae_is_refused(folder: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", explanations=[{"index": 64, "description": "sea", "typeName": None}])
    with pytest.raises(BadInput, match="expected features below 64, the SAE's; found 64"):
        label.run(parsed(folder, "a", tmp_path / "out", "--names", "neuronpedia", "--export", str(export)))


def test_a_text_that_was_changed_is_another_run(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "sea.txt"
    text.write_text("The grey sea rose over the harbour wall and fell again.\n" * 60)
    words = ["--data", str(text), "--features", "0-1"]
    label.run(parsed(folder, "a", tmp_path / "out", *words))
    text.write_text(text.read_text() + "And again.\n")
    with pytest.raises(BadInput, match="found another bytes;"):
        label.run(parsed(folder, "a", tmp_path / "out", *words))


def test_labels_are_imported_without_reading_text(folder: Path, tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", explanations=EXPLANATIONS)
    words = ["--names", "neuronpedia", "--export", str(export), "--id", "gpt"]
    assert label.run(parsed(folder, "a", tmp_path / "out", *words)) == 0
    catalogue = Catalogue.open(tmp_path / "out/catalogue.sqlite")
    assert catalogue.names() == {"gpt.3": "words about the sea"}
    catalogue.close()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected --data with --names keyness"),
        (["--names", "endpoint", "--data", "x"], "expected --endpoint with --names endpoint"),
        (["--names", "neuronpedia"], "expected --export with --names neuronpedia"),
        (["--names", "local", "--data", "x"], "expected --chat-model with --names local"),
    ],
)
def test_what_a_way_of_naming_lacks_is_said(folder: Path, tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        label.run(parsed(folder, "a", tmp_path, *words))


@pytest.mark.parametrize(("stated", "expected"), [("3", [3]), ("1-3,7,2", [1, 2, 3, 7]), (None, list(range(8)))])
def test_features_are_listed_as_people_list_pages(stated: str | None, expected: list[int]) -> None:
    assert label.wanted_features(stated, 8) == expected


@pytest.mark.parametrize("stated", ["8", "a", "3-1", "-1", ""])
def test_what_is_no_list_is_refused(stated: str) -> None:
    with pytest.raises(BadInput, match="--features: expected"):
        label.wanted_features(stated, 8)
