"""`undersong features`: names to pin, from the catalogue alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.catalogue.rows import ROWS
from tests.weights.folders import FILES, manifest, tiny
from undersong.catalogue.build import write_catalogue
from undersong.cli import CUT_SHORT, features, main
from undersong.cli.features import Listed, table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights of the catalogue's tests: "p3" reads and steers, "3" only reads; its features 1 to 7 have names."""
    described = manifest()
    (first,) = described["saes"]
    described["saes"] = [{**first, "id": "p3", "grain": "passage"}, {**first, "id": "3", "roles": ["read"]}]
    described["files"] = dict.fromkeys(FILES, "0" * 64)
    hidden = [replace(row, shown=True) if row.card.name == "hidden" else row for row in ROWS]
    tiny(tmp_path, described)
    write_catalogue(tmp_path / "catalogue.sqlite", hidden)
    monkeypatch.setattr(features, "find_default", lambda: tmp_path)
    return tmp_path


def check(capsys: pytest.CaptureFixture[str], arguments: list[str], *names: str) -> None:
    assert main(["features", *arguments]) == 0
    weights, _, head, *lines = capsys.readouterr().out.splitlines()
    assert weights.startswith("Default weights: tiny (")
    assert head.split() == ["name", "id", "detection", "steering"]
    assert [line.split("  ")[0] for line in lines] == list(names)


def test_all_names_are_listed_in_the_order_of_the_catalogue(folder, capsys):
    every = ["grief", "the sea", "ships", "letters", "wind and snow", "wind", "café talk", "hidden"]
    check(capsys, [], *every)
    check(capsys, [""], *every)
    check(capsys, [" ", "\t"], *every)


def test_what_the_engine_does_not_load_is_not_listed(folder, capsys, monkeypatch):
    described = manifest()
    (first,) = described["saes"]
    described["saes"] = [{**first, "id": "p3"}, {**first, "id": "3", "roles": ["trace"]}]
    (folder / "manifest.json").write_text(json.dumps(described))
    check(capsys, [], "grief", "the sea", "ships", "letters", "wind and snow", "wind", "café talk")
    check(capsys, ["sea"], "the sea", "ships")


def test_words_find_names_best_first(folder, capsys):
    check(capsys, ["sea"], "the sea", "hidden", "ships")
    check(capsys, ["Wind", "and", "snow"], "wind and snow", "wind")


def test_only_what_was_measured_to_steer_is_listed_when_that_is_asked_for(folder, capsys):
    check(capsys, ["--steer"], "the sea")
    check(capsys, ["--steer", "sea"], "the sea")


def test_a_search_lists_no_more_than_is_worth_reading(folder, capsys, monkeypatch):
    monkeypatch.setattr(features, "FOUND", 1)
    check(capsys, ["sea"], "the sea")
    check(capsys, ["--steer", "ships", "sea"], "the sea")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["zebra"], "there is no feature to list for “zebra”"),
        (["--steer", "grief"], "there is no feature to list for “grief”"),
    ],
)
def test_nothing_found_is_said(folder, capsys, arguments, says):
    assert main(["features", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_a_reader_who_has_seen_enough_ends_it_without_complaint():
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "undersong", "features"], stdout=write, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (CUT_SHORT, b"")


def test_a_pipe_that_breaks_elsewhere_is_not_hidden(folder, capsys, monkeypatch):
    def run(_: object) -> int:
        raise BrokenPipeError

    monkeypatch.setattr(features, "run", run)
    with pytest.raises(BrokenPipeError):
        main(["features"])


def test_a_line_says_id_score_and_whether_it_steers(folder, capsys):
    assert main(["features", "sea"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Default weights: tiny ({folder})",
        "",
        "name     id    detection  steering",
        "the sea  p3.2  0.75       steers",
        "hidden   3.9   0.75       reads, does not steer",
        "ships    p3.3  0.75       reads, does not steer",
    ]


def test_another_catalogue_is_listed_whole(folder, tmp_path, capsys):
    other = tmp_path / "other.sqlite"
    write_catalogue(other, [row for row in ROWS if row.card.name in ("ships", "the sea", "hidden")])
    assert main(["features", "--catalogue", str(other)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"Catalogue: {other}",
        "",
        "name     id    detection  steering",
        "the sea  p3.2  0.75       steers",
        "ships    p3.3  0.75       reads, does not steer",
    ]
    assert main(["features", "--catalogue", str(tmp_path / "none.sqlite")]) == 2
    assert "none.sqlite: no such file; expected a feature catalogue" in capsys.readouterr().err


def test_columns_stay_in_line_whatever_the_names_are_written_in():
    rows = [Listed("海", "p3.1", None, None), Listed("the sea", "p3.12", 0.5, True)]
    assert table(rows) == [
        "name     id     detection  steering",
        "海       p3.1              not measured",
        "the sea  p3.12  0.50       steers",
    ]
