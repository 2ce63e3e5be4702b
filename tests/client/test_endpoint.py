"""Who shares an engine: those who want the same weights of the same installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from undersong.client import endpoint
from undersong.client.endpoint import EngineChoice


def test_the_same_choice_has_the_same_name():
    other = EngineChoice("m", ("a",), idle_minutes=9, start=False, memory_mb=700)
    assert EngineChoice("m", ("a",)).name == other.name


@pytest.mark.parametrize(
    "other",
    [
        EngineChoice(),
        EngineChoice("m", ("b",)),
        EngineChoice("m", ("a",), "cuda"),
        EngineChoice("m", ("a",), adapter="l"),
    ],
)
def test_another_choice_has_another_name(other):
    assert other.name != EngineChoice("m", ("a",)).name


def test_an_engine_of_another_installation_is_another_engine(monkeypatch):
    here = EngineChoice().name
    monkeypatch.setattr(endpoint, "PACKAGE", Path("/elsewhere/undersong"))
    assert EngineChoice().name != here
