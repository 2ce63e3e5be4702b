"""One tiny model an architecture, for the whole session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch

from tests.support.tiny_models import ARCHITECTURES, tiny_network, tiny_tokenizer
from undersong.model.language_model import LanguageModel, describe


@pytest.fixture(scope="package", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors are tiny here: a second thread would only be waited for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@cache
def tiny(architecture: str) -> LanguageModel:
    return describe(tiny_network(architecture), tiny_tokenizer(), architecture)


@pytest.fixture(params=ARCHITECTURES)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    """Each architecture in turn."""
    return tiny(request.param)


@pytest.fixture
def llama() -> LanguageModel:
    return tiny("llama")


@pytest.fixture
def same(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Equal as floats are: 1e-5, absolute and relative; 1e-4 for models that compute recurrent states in other ways
    where they are given one token than where they are given several."""
    recurs = "model" in request.fixturenames and request.getfixturevalue("model").recurs
    most = 1e-4 if recurs else 1e-5

    def check(found: Any, expected: Any) -> None:
        torch.testing.assert_close(found, expected, atol=most, rtol=most)

    return check
