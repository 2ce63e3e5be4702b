"""No test touches what a person has kept on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

# Compiled once for all tests, those of other runs too, and by none of them into the folders of a person.
os.environ.setdefault("UNDERSONG_KERNELS_DIR", str(Path(__file__).parents[1] / ".pytest_cache/kernels"))


@pytest.fixture(scope="session", autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STATE", "DATA"):
            patch.setenv(f"UNDERSONG_{name}_DIR", str(tmp_path_factory.mktemp(name.lower())))
        yield
