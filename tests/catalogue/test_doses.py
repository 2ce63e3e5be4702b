from __future__ import annotations

import multiprocessing
import sqlite3
from pathlib import Path

import pytest

from undersong.catalogue.doses import Doses
from undersong.wire import Dose

DOSE = Dose(norm=12.5, activation=30.0, kl_p95=0.98)


def test_a_dose_is_kept_by_fingerprint_and_feature(tmp_path: Path):
    path = tmp_path / "new" / "doses.sqlite"
    doses = Doses.open(path)
    doses.put("model a", "3.1", DOSE)
    doses.close()
    again = Doses.open(path)
    assert again.get("model a", "3.1") == DOSE
    assert again.get("model b", "3.1") is None
    assert again.get("model a", "3.2") is None
    assert again.of("model a") == {"3.1": DOSE}
    assert again.problem is None
    again.close()


def test_a_later_dose_replaces_an_earlier_one(tmp_path: Path):
    doses = Doses.open(tmp_path / "doses.sqlite")
    later = Dose(norm=1.0, activation=2.0, kl_p95=3.0)
    doses.put("m", "3.1", DOSE)
    doses.put("m", "3.1", later)
    assert doses.get("m", "3.1") == later
    doses.close()


def _write_many(path: str, owner: str) -> None:
    doses = Doses.open(Path(path))
    for i in range(100):
        doses.put(owner, f"3.{i}", Dose(float(i), 0.0, 0.0))
    assert doses.problem is None
    doses.close()


def test_two_processes_may_write_at_once(tmp_path: Path):
    path = str(tmp_path / "doses.sqlite")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, owner)) for owner in ("a", "b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    doses = Doses.open(Path(path))
    assert (len(doses.of("a")), len(doses.of("b"))) == (100, 100)
    doses.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 400, b"SQLite format 3\x00" + b"\xff" * 8000])
def test_a_broken_file_is_moved_aside_and_said(tmp_path: Path, content: bytes):
    path = tmp_path / "doses.sqlite"
    path.write_bytes(content)
    doses = Doses.open(path)
    doses.put("m", "3.1", DOSE)
    assert doses.problem is not None and "moved to doses.sqlite.broken-" in doses.problem
    doses.close()
    assert [file.read_bytes() for file in tmp_path.glob("*.broken-*")] == [content]
    again = Doses.open(path)
    assert again.get("m", "3.1") == DOSE
    again.close()


def test_a_file_of_a_later_version_is_moved_aside(tmp_path: Path):
    path = tmp_path / "doses.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    doses = Doses.open(path)
    assert doses.problem is not None and "expected version 1, found 9" in doses.problem
    doses.close()


def test_where_nothing_can_be_written_doses_live_as_long_as_the_process(tmp_path: Path):
    (tmp_path / "file").write_text("in the way of a folder")
    doses = Doses.open(tmp_path / "file" / "doses.sqlite")
    doses.put("m", "3.1", DOSE)
    assert doses.get("m", "3.1") == DOSE
    assert doses.problem is not None and "not kept" in doses.problem
    doses.close()


def test_a_dose_that_cannot_be_stored_is_known_all_the_same(tmp_path: Path):
    doses = Doses.open(tmp_path / "doses.sqlite")
    doses.close()
    doses.put("m", "3.1", DOSE)
    assert (doses.get("m", "3.1"), doses.of("m")) == (DOSE, {"3.1": DOSE})
    assert doses.problem is not None
