"""`undersong sae evaluate` on a random model, from the command line to the files."""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

import pytest

from tests.sae.labelling.test_endpoint import Server, says
from tests.support.tiny_models import write_model, write_sae
from undersong.cli.sae import evaluate
from undersong.cli.sae.progress import ProgressLine, duration
from undersong.cli.sae.shared import named
from undersong.errors import BadInput, BadText, WeightsMissing

SENTENCES = ("The sea was calm and the ship went on. ", "Snow lay on the roofs of the old town. ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    write_model(folder / "model")
    write_sae(folder / "a", layer=1, seed=1)
    write_sae(folder / "b", layer=1, seed=2, k=4)
    write_sae(folder / "p", layer=2, seed=3, k=4, grain="passage")
    (folder / "texts").mkdir()
    for name, sentence in zip(("sea", "snow"), SENTENCES, strict=True):
        (folder / f"texts/{name}.txt").write_text("\n".join(f"{n}. {sentence * 3}" for n in range(120)))
    return folder


def parsed(folder: Path, *words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    common = ["--model", str(folder / "model"), "--data", str(folder / "texts"), "--device", "cpu"]
    return parser.parse_args([*words, *common])


def test_saes_are_compared_in_one_report(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saes = [str(folder / name) for name in ("a", "b", "p")]
    words = ["--out", str(tmp_path), "--tokens", "600", "--context", "64", "--batch", "4", "--probe-sources"]
    assert evaluate.run(parsed(folder, *saes, *words)) == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert [each["name"] for each in found] == ["a", "b", "p"]
    assert found[0]["fidelity"]["l0"]["value"] <= 8 and found[1]["fidelity"]["l0"]["value"] <= 4
    assert found[0]["behaviour"] and found[2]["behaviour"] is None
    assert {probe["task"] for probe in found[0]["probes"]} == {"from sea"}
    assert max(probe["accuracy"] for probe in found[0]["probes"]) == 1
    assert 600 <= found[0]["tokens"] < 600 + 4 * 64
    assert "<svg" in (tmp_path / "report.html").read_text()
    assert (tmp_path / "features_a.safetensors").is_file()
    said = capsys.readouterr().out
    assert "a: L0" in said and f"({found[2]['tokens']} passages)" in said


def test_absorption_is_left_out_where_it_cannot_be_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saes = [str(folder / name) for name in ("a", "p")]
    words = [*saes, "--out", str(tmp_path), "--tokens", "200", "--context", "64", "--absorption"]
    assert evaluate.run(parsed(folder, *words)) == 0
    few, other = json.loads((tmp_path / "evaluation.json").read_text())
    assert few["absorption"] is None and "expected more words of one token" in few["notes"][0]
    assert other["absorption"] is None and "expected an SAE that rebuilds the tokens it reads" in other["notes"][0]
    assert "\n  absorption: expected more words" in capsys.readouterr().out


def test_what_was_measured_is_kept_when_the_next_cannot_be(folder: Path, tmp_path: Path) -> None:
    words = ["--out", str(tmp_path), "--tokens", "200", "--context", "32"]
    with pytest.raises(WeightsMissing):
        evaluate.run(parsed(folder, str(folder / "a"), str(folder / "none"), *words))
    (found,) = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["name"] == "a" and not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("option", ["--tokens", "--context", "--batch", "--absorption", "--sensitivity"])
def test_numbers_of_things_are_one_or_more(folder: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(folder, str(folder / "a"), option, "0")
    assert f"{option}: expected 1 or more, found 0" in capsys.readouterr().err


def test_sensitivity_is_asked_of_an_endpoint(folder: Path, tmp_path: Path) -> None:
    words = [str(folder / "a"), "--out", str(tmp_path), "--tokens", "900", "--context", "64", "--sensitivity", "2"]
    server = Server()
    try:
        server.replies = [says("1. The sea rose.\n2. Snow fell on the town.")] * 40
        asked = ["--endpoint", server.url, "--endpoint-model", "small"]
        assert evaluate.run(parsed(folder, *words, *asked)) == 0
    finally:
        server.close()
    (found,) = json.loads((tmp_path / "evaluation.json").read_text())
    assert len(found["sensitivity"]) == 2 and found["sensitivity"][0]["written"] == 2
    assert "Sensitivity" in (tmp_path / "report.html").read_text()
    with pytest.raises(BadInput, match="expected --endpoint or --chat-model with --sensitivity"):
        evaluate.run(parsed(folder, *words))


def test_too_little_text_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Short.")
    arguments = parsed(folder, str(folder / "a"))
    arguments.data = [str(tmp_path / "short.txt")]
    with pytest.raises(BadText, match="expected text of at least 128 tokens"):
        evaluate.run(arguments)
    with pytest.raises(BadText, match="expected texts of 2 tokens or more, BOS among them; found 1"):
        evaluate.run(parsed(folder, str(folder / "a"), "--context", "1"))


def test_names_are_as_long_as_they_must_be() -> None:
    assert named(["/x/layer_1/16k", "/x/layer_2/16k"]) == [
        ("layer_1/16k", "/x/layer_1/16k"),
        ("layer_2/16k", "/x/layer_2/16k"),
    ]
    assert named(["/x/a"]) == [("a", "/x/a")]
    with pytest.raises(BadInput, match="expected each SAE once"):
        named(["/x/a", "/x/a"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_says_how_much_is_left_from_where_the_run_began() -> None:
    clock = iter([0.0, 0.0, 10.0, 20.0])
    stream = Terminal()
    line = ProgressLine(stream, lambda: next(clock))
    line("naming", 50, 100)
    line("naming", 60, 100)
    line("naming", 100, 100)
    line.close()
    assert "60/100, 40 s left" in stream.getvalue() and stream.getvalue().endswith("\n")


def test_where_nobody_watches_each_stage_is_one_line() -> None:
    stream = io.StringIO()
    line = ProgressLine(stream)
    for done in range(5):
        line("reading", done, 5)
    line.close()
    assert stream.getvalue() == "reading\n"


def test_where_nobody_watches_a_long_stage_says_how_far_it_is_every_half_minute() -> None:
    clock = iter([0.0, 0.0, 10.0, 29.0, 31.0, 40.0, 62.0])
    stream = io.StringIO()
    line = ProgressLine(stream, lambda: next(clock))
    for done in (0, 10, 20, 31, 40, 62):
        line("reading", done, 100)
    line.close()
    assert stream.getvalue().splitlines() == ["reading", "reading 31/100, 69 s left", "reading 62/100, 38 s left"]


@pytest.mark.parametrize(("seconds", "said"), [(3, "3 s"), (200, "3 min"), (7500, "2 h 05 min")])
def test_durations_are_said_as_people_do(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_files_that_cannot_be_told_apart_are_no_task(folder: Path, tmp_path: Path) -> None:
    text = (folder / "texts/sea.txt").read_text()
    for name in ("a/sea.txt", "b/sea.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    arguments = parsed(folder, str(folder / "a"), "--out", str(tmp_path / "out"), "--probe-sources")
    arguments.data = [str(tmp_path / "a"), str(tmp_path / "b")]
    with pytest.raises(BadInput, match=r"expected 20 passages or more .* found \d+ in .*a/sea.txt, \d+ in .*b/sea.txt"):
        evaluate.run(arguments)
    # Files of one name are two sources all the same.
    (tmp_path / "b/sea.txt").write_text((folder / "texts/snow.txt").read_text())
    assert [task.name for task in evaluate.tasks_of(arguments)] == [f"from {tmp_path}/a/sea.txt"]
