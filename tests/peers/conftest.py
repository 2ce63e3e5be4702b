"""What several peer tests need of a library."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def dictionary_learning(monkeypatch: pytest.MonkeyPatch) -> None:
    """dictionary_learning 0.1.0 (`pip install --no-deps dictionary-learning`), importable without what it depends on.

    Its package imports nnsight and more when it is imported; its classes and trainers need none of that. So a package
    of that name and place stands in whose `__init__` was not run, and its `trainers` likewise.
    """
    spec = importlib.util.find_spec("dictionary_learning")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("dictionary_learning is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    for name, folder in (("dictionary_learning", root), ("dictionary_learning.trainers", root / "trainers")):
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        monkeypatch.setitem(sys.modules, name, module)
