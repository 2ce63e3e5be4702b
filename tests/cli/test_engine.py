"""`undersong engine`: its own arguments, and the front end's that become them."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from undersong.assist.settings import EngineSettings
from undersong.cli import engine, serve
from undersong.client import launch
from undersong.client.endpoint import EngineChoice


def parsed(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    engine.add_arguments(parser)
    return parser.parse_args(given)


def test_a_budget_of_memory_is_a_whole_number_of_megabytes(capsys):
    assert (parsed().memory_mb, parsed("--memory-mb", "700").memory_mb) == (0, 700)
    for wrong in ("-1", "1.5", "700MB", ""):
        with pytest.raises(SystemExit):
            parsed("--memory-mb", wrong)
        assert "expected a whole number of MB, 0 or more" in capsys.readouterr().err


async def test_the_budget_of_the_settings_is_that_of_the_engine_that_is_started(tmp_path: Path, monkeypatch):
    started: list[list[str]] = []
    monkeypatch.setattr(launch.subprocess, "Popen", lambda command, **_: started.append(command))
    asked: list[EngineChoice] = []

    async def connect(choice: EngineChoice) -> None:
        asked.append(choice)

    monkeypatch.setattr(launch, "connect", connect)
    for mb in (0, 700):
        await serve.launched_engine(EngineSettings(memory_mb=mb))
        launch._start(asked[-1], tmp_path / "log")
    assert "--memory-mb" not in started[0] and parsed(*started[1][4:]).memory_mb == 700


def test_a_library_that_is_not_installed_is_named_before_anything_listens(monkeypatch):
    from undersong.engine import importing
    from undersong.errors import EngineUnavailable

    monkeypatch.setattr(importing, "NEEDED", ("torch", "a_library_that_nobody_has"))
    monkeypatch.setattr(engine.gc, "disable", lambda: None)
    with pytest.raises(EngineUnavailable, match="needs a_library_that_nobody_has"):
        engine.run(parsed())
