"""The engine found, lost, found again; and what is told of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.lsp.drafts import DRAFT, reading_editor
from tests.lsp.harness import PLAIN, RICH, Editor, settle
from undersong import wire
from undersong.assist.settings import EngineSettings
from undersong.client.fake import READY, FakeEngine
from undersong.client.protocol import EngineClient
from undersong.errors import EngineUnavailable, HashMismatch
from undersong.wire import Health

LOADING = Health("loading", "reading the weights", "0", wire.PROTOCOL_VERSION, progress=0.4)


async def test_loading_is_progress_and_status() -> None:
    editor = Editor(RICH, FakeEngine(health=LOADING))
    await editor.start()
    await settle()
    editor.engine.set_health(Health("loading", "warming up", "0", wire.PROTOCOL_VERSION, progress=0.8))
    await settle()
    editor.engine.set_health(READY)
    await settle()
    kinds = [params["value"]["kind"] for params in editor.sent("$/progress")]
    assert kinds[0] == "begin"
    assert kinds[-1] == "end"
    assert "report" in kinds
    states = [params["state"] for params in editor.sent("undersong/status")]
    assert states == ["starting", "loading", "loading", "ready"]
    assert editor.sent("undersong/status")[-1]["model"] == "fake"
    await editor.stop()


async def test_what_is_likely_wrong_with_an_sae_is_told_once() -> None:
    editor = Editor(RICH, FakeEngine(health=LOADING))
    await editor.start()
    for _ in range(2):
        editor.engine.set_health(replace(READY, warnings=("SAE 1: b_dec is to be subtracted",)))
        await settle()
        editor.engine.set_health(LOADING)
        await settle()
    assert editor.said() == ["SAE 1: b_dec is to be subtracted"]
    await editor.stop()


async def test_a_client_that_announced_neither_gets_neither() -> None:
    editor = Editor(PLAIN, FakeEngine(health=LOADING))
    await editor.start()
    editor.engine.set_health(READY)
    await settle()
    methods = {message.get("method") for message in editor.messages}
    assert methods == {None}
    await editor.stop()


async def test_a_lost_engine_is_told_once_and_found_again_with_back_off() -> None:
    engines = [FakeEngine(), FakeEngine()]
    attempts: list[float] = []
    available = [True]

    async def connect(_: EngineSettings) -> EngineClient:
        attempts.append(editor.clock.now())
        if not available[0]:
            raise EngineUnavailable("no engine is running")
        return engines.pop(0)

    editor = Editor(connect=connect)
    await editor.start()
    editor.open(DRAFT)
    await editor.clock.advance(100)
    first = attempts[:]
    assert len(first) == 1
    available[0] = False
    editor.server.session.link.client().die()  # type: ignore[attr-defined]
    await settle()
    assert len(await editor.hints()) == 2
    actions = [action for action in await editor.actions("She wept") if action["title"].startswith("Steer")]
    assert all("gone" in action["disabled"]["reason"] for action in actions)
    await editor.clock.advance(40)
    waits = [later - sooner for sooner, later in itertools.pairwise(attempts[1:])]
    assert waits == [2, 4, 8, 16]
    assert len([message for message in editor.said() if "engine" in message]) == 1
    available[0] = True
    await editor.clock.advance(70)
    editor.type_after("house", " wave")
    await editor.clock.advance(3)
    assert len(await editor.hints()) == 3
    await editor.stop()


async def test_weights_that_do_not_fit_their_hash_are_told_of_and_not_tried_again() -> None:
    attempts: list[EngineSettings] = []

    async def connect(settings: EngineSettings) -> EngineClient:
        attempts.append(settings)
        raise HashMismatch("model.safetensors: expected 12ab, found 34cd")

    editor = Editor(connect=connect)
    await editor.start()
    await editor.clock.advance(500)
    assert len(attempts) == 1
    assert editor.said() == ["model.safetensors: expected 12ab, found 34cd"]
    await editor.stop()


async def test_an_engine_that_says_it_failed_is_told_of_once() -> None:
    editor = Editor(RICH, FakeEngine(health=LOADING))
    await editor.start()
    for _ in range(2):
        editor.engine.set_health(Health("failed", "the weights are truncated", "0", wire.PROTOCOL_VERSION))
        await settle()
    assert editor.said() == ["the weights are truncated"]
    assert editor.sent("undersong/status")[-1]["state"] == "failed"
    await editor.stop()


async def test_an_unexpected_error_while_connecting_does_not_end_the_server() -> None:
    async def connect(_: EngineSettings) -> EngineClient:
        raise ZeroDivisionError

    editor = Editor(connect=connect)
    await editor.start()
    await editor.clock.advance(5)
    assert len(editor.said()) == 1
    assert await editor.ask("shutdown") is None
    await editor.server.session.end()


@pytest.mark.parametrize("kill", [True, False])
async def test_ending_the_session_detaches(kill: bool) -> None:
    editor = await reading_editor()
    if kill:
        editor.engine.die()
    await editor.stop()
    assert editor.engine.detached
