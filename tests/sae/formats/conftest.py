"""Each test that asks for a `sample` runs on every format."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sae.formats.making import Sample
from tests.sae.formats.samples import SAMPLES


@pytest.fixture(params=SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def sample(name: str, tmp_path: Path) -> Sample:
    return SAMPLES[name][3](tmp_path / "hub")
