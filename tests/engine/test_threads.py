"""How many threads an engine computes with: see model/threads.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import torch

from tests.engine.conftest import play
from undersong.client.endpoint import EngineChoice
from undersong.engine.app import create_app
from undersong.engine.parts import made
from undersong.engine.scheduler import Rank
from undersong.model.threads import Threads


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    threads, has_gradients = torch.get_num_threads(), torch.is_grad_enabled()
    yield
    torch.set_num_threads(threads)
    torch.set_grad_enabled(has_gradients)


@pytest.fixture
def choice(weights, tmp_path, monkeypatch) -> EngineChoice:
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path))
    return EngineChoice(str(weights.model), tuple(map(str, weights.saes.values())), "cpu")


@pytest.mark.parametrize(("is_light", "expected"), [(True, [8, 1]), (False, [8])])
def test_a_model_is_loaded_with_all_threads_that_are_free_and_a_light_one_then_has_one(
    is_light, expected, choice, tmp_path, monkeypatch
):
    most: list[int] = []
    looks: list[int] = []

    class Kept(Threads):
        def __init__(self, count: int) -> None:
            most.append(count)
            super().__init__(1)

        def keep(self) -> None:
            looks.append(most[-1])

    monkeypatch.setattr("undersong.engine.parts.Threads", Kept)
    monkeypatch.setattr("undersong.engine.parts.is_light", lambda model: is_light)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)
    parts = play(made(choice, tmp_path / "doses.sqlite"))
    assert most == expected and len(looks) > 1 and set(looks) == {8}
    assert isinstance(parts.threads, Kept)


async def test_the_processor_is_looked_at_before_each_step(choice, monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(Threads, "keep", lambda self: seen.append("look"))

    def steps():
        for number in range(2):
            seen.append(f"step {number}")
            yield None

    app = create_app(choice)
    async with app.router.lifespan_context(app):
        while app.state.engine.health.state == "loading":
            await asyncio.sleep(0.02)
        seen.clear()
        await app.state.engine.scheduler.submit(steps(), Rank.READ).result()
    assert seen == ["look", "step 0", "look", "step 1", "look"]
