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
def same() -> Callable[..., None]:
    """Equal as floats are: 1e-5, absolute and relative."""

    def check(found: Any, expected: Any) -> None:
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)

    return check
