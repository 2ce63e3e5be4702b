"""The `undersong` command itself."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from undersong.cli import SUBCOMMANDS, main


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """As in a terminal: a shell starts what it runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_a_subcommand_without_a_traceback(monkeypatch, capsys):
    interrupted = ModuleType("interrupted")
    interrupted.add_arguments = lambda parser: None  # type: ignore[attr-defined]
    interrupted.run = lambda arguments: signal.raise_signal(signal.SIGINT)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "interrupted", interrupted)
    monkeypatch.setitem(SUBCOMMANDS, "wait", ("interrupted", "waits to be stopped"))
    assert main(["wait"]) == 130
    assert capsys.readouterr().err == "undersong wait: stopped\n"
