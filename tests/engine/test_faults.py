"""The engine's process and application when something is wrong: each fault is said, and nothing is left behind."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.support.engine_processes import own_folders
from undersong.client import launch
from undersong.client.ending import PATIENCE_SECONDS
from undersong.client.endpoint import EngineChoice, read_endpoint, runtime_folder
from undersong.client.http import HttpEngine
from undersong.client.launch import connect
from undersong.engine.app import create_app
from undersong.errors import EngineLoading
from undersong.wire import SearchRequest

SECRET = "The secret of the novel"


@pytest.fixture
def choice(tmp_path, weights) -> Iterator[EngineChoice]:
    with own_folders(tmp_path):
        yield EngineChoice(str(weights.model), (str(weights.saes["1"]),), "cpu", idle_minutes=1.0)


async def ended(choice: EngineChoice) -> None:
    """End the engine of `choice` and wait until it is gone."""
    endpoint = read_endpoint(runtime_folder() / f"{choice.name}.json")
    assert endpoint is not None
    os.kill(endpoint.pid, signal.SIGTERM)
    for process in launch._started:
        await asyncio.to_thread(process.wait, 20)


async def test_an_engine_that_is_told_to_end_leaves_neither_socket_nor_endpoint(choice):
    engine = await connect(choice)
    await engine.aclose()
    await ended(choice)
    assert [file.suffix for file in runtime_folder().iterdir()] == [".lock"]


async def test_an_engine_that_is_told_to_end_while_it_loads_ends_at_once(choice):
    engine = await connect(choice)
    assert (await engine.health()).state == "loading"
    with pytest.raises(EngineLoading, match="still"):
        await engine.search(SearchRequest("sea"))
    began = time.monotonic()
    await engine.end()
    # Had it to be killed, its files would still be there.
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert [file.suffix for file in runtime_folder().iterdir()] == [".lock"]
    await engine.aclose()


async def test_stale_files_of_a_killed_engine_are_in_nobodys_way(choice):
    engine = await connect(choice)
    await engine.aclose()
    endpoint = read_endpoint(runtime_folder() / f"{choice.name}.json")
    os.kill(endpoint.pid, signal.SIGKILL)
    await asyncio.to_thread(launch._started[-1].wait, 20)
    assert {file.suffix for file in runtime_folder().iterdir()} == {".lock", ".sock", ".json"}
    again = await connect(choice)
    assert (await again.health()).state in ("loading", "ready")
    await again.aclose()
    await ended(choice)


async def test_two_editors_that_start_at_once_share_one_engine(choice):
    one, two = await asyncio.gather(connect(choice), connect(choice))
    assert len(list(runtime_folder().glob("*.json"))) == 1
    await one.aclose()
    await two.aclose()
    await ended(choice)


async def test_a_lock_whose_holder_ends_without_serving_is_taken_by_the_next(choice):
    """Another engine that is about to end holds the lock while ours starts: ours is started again."""
    import fcntl

    with (runtime_folder() / f"{choice.name}.lock").open("a+b") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = set(launch._started)
        connecting = asyncio.create_task(connect(choice))
        while not set(launch._started) - before:
            await asyncio.sleep(0.05)
        (first,) = set(launch._started) - before
        assert await asyncio.to_thread(first.wait, 30) == 0
    engine = await asyncio.wait_for(connecting, 30)
    assert (await engine.health()).state in ("loading", "ready")
    await engine.aclose()
    await ended(choice)


def test_a_cache_folder_that_cannot_be_made_stops_nothing(choice, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "file" / "below"))

    async def loaded():
        app = create_app(choice)
        async with app.router.lifespan_context(app):
            while app.state.engine.health.state == "loading":
                await asyncio.sleep(0.02)
            return app.state.engine.health

    assert asyncio.run(loaded()).state == "ready"


def test_an_engine_that_cannot_listen_says_why_and_fails(choice):
    (runtime_folder() / f"{choice.name}.sock").mkdir()
    command = [sys.executable, "-m", "undersong", "engine", "--model", choice.model, "--sae", *choice.saes]
    done = subprocess.run([*command, "--device", "cpu"], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "cannot make the engine's socket" in done.stderr.strip().splitlines()[-1]


# --- the application by itself --------------------------------------------------------------------------------------


async def asked(app, *requests):
    """Answers of an application without a server, one request after another."""
    async with app.router.lifespan_context(app):
        while app.state.engine.health.state == "loading":
            await asyncio.sleep(0.02)
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as client:
            return [await client.request(method, path, json=body) for method, path, body in requests]


async def test_what_nobody_expected_is_answered_once_and_logged_without_its_text(choice, monkeypatch, caplog):
    app = create_app(choice)

    def fail(*_):
        raise KeyError(SECRET)

    monkeypatch.setattr("undersong.catalogue.store.Catalogue.search", fail)
    with caplog.at_level(logging.DEBUG):
        (answer,) = await asked(app, ("POST", "/v1/search", {"query": SECRET}))
    assert answer.status_code == 500
    assert answer.json() == {"code": "engine-failure", "message": "/v1/search failed: KeyError", "nearest": []}
    assert "failed: KeyError" in caplog.text and SECRET not in caplog.text


async def test_an_engine_is_not_idle_while_it_answers_somebody_who_is_not_attached(choice):
    app = create_app(choice)
    seen = []

    class Slow:
        def search(self, query, limit):
            seen.append(app.state.engine.idle_seconds)
            return ()

    async with app.router.lifespan_context(app):
        engine = app.state.engine
        while engine.health.state == "loading":
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        assert engine.idle_seconds > 0
        object.__setattr__(engine.parts.loaded, "catalogue", Slow())
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://engine") as client:
            await client.post("/v1/search", json={"query": "sea"})
        with engine.attached():
            assert engine.idle_seconds == 0
    assert seen == [0]


async def test_a_log_holds_nothing_of_what_was_read_or_asked(choice):
    engine = await connect(choice)
    while (await engine.health()).state == "loading":
        await asyncio.sleep(0.05)
    await engine.search(SearchRequest(SECRET))
    endpoint = read_endpoint(runtime_folder() / f"{choice.name}.json")
    other = HttpEngine(endpoint)
    await other._http.post("/v1/read", json={"update": SECRET, SECRET: 1})
    await other._http.post("/v1/" + SECRET.replace(" ", "-"))
    await other.aclose()
    await engine.aclose()
    await ended(choice)
    log = launch._log_file(choice).read_text()
    assert SECRET not in log and SECRET.replace(" ", "-") not in log
