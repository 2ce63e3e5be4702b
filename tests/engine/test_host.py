"""The engine as a process, over its socket: found, shared, asked, cancelled, killed."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
from contextlib import aclosing
from pathlib import Path

import pytest

from tests.support.engine_processes import own_folders, ready
from undersong.client.endpoint import EngineChoice, read_endpoint, runtime_folder, write_endpoint
from undersong.client.http import HttpEngine
from undersong.client.launch import connect
from undersong.engine import host
from undersong.errors import (
    BadInput,
    BadStrength,
    EngineUnavailable,
    OutOfMemory,
    Resync,
    Superseded,
    UnknownFeature,
    WeightsMissing,
)
from undersong.wire import (
    Calibrated,
    CalibrateRequest,
    CardRequest,
    CloseRequest,
    Dial,
    DraftUpdate,
    Endpoint,
    ReadRequest,
    SearchRequest,
    Splice,
    WriteRequest,
)

TEXT = ("The sea was grey. She looked at it.", "He said nothing.", "It was late, and the rain had stopped.")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    base = tmp_path_factory.mktemp("u")
    with own_folders(base):
        yield base


@pytest.fixture
def choice(places, weights) -> EngineChoice:
    return EngineChoice(str(weights.model), tuple(map(str, weights.saes.values())), "cpu", idle_minutes=1.0)


@pytest.fixture
async def engine(choice):
    attached = await connect(choice)
    await ready(attached)
    yield attached
    await attached.aclose()


def sent(document: str, version: int = 1, base: int | None = None) -> DraftUpdate:
    return DraftUpdate(document, version, base, Splice(0, 0, TEXT if base is None else ()))


def writing(document: str, **changes) -> WriteRequest:
    fields = {"paragraph": 1, "start": 16, "end": 16, "kind": "continue", "dials": (), "stop": "length", **changes}
    return WriteRequest(sent(document, 1, 1), **fields)


async def test_two_editors_share_one_engine_that_only_its_user_may_open(engine, choice):
    other = await connect(choice)
    assert (await other.health()).model == (await engine.health()).model
    await other.aclose()
    files = list(runtime_folder().iterdir())
    assert len([file for file in files if file.suffix == ".sock"]) == 1
    for file in files:
        if file.suffix in (".sock", ".json"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(runtime_folder().stat().st_mode) == 0o700


async def test_what_is_likely_wrong_with_an_sae_is_in_the_health(engine, weights):
    """Random SAEs explain next to nothing."""
    (one, two) = (await engine.health()).warnings
    assert one.startswith(f"SAE 1 ({weights.saes['1']}): ") and two.startswith(f"SAE 2 ({weights.saes['2']}): ")


async def test_a_draft_is_read_and_then_only_its_changes(engine):
    first = await engine.read(ReadRequest(sent("a"), (0, 1)))
    assert [reading.index for reading in first.readings] == [0, 1]
    assert first.pending == (2,)
    rest = await engine.read(ReadRequest(sent("a", 2, 1), (2,)))
    assert rest.pending == ()
    changed = DraftUpdate("a", 3, 2, Splice(1, 1, ("He said everything.",)))
    answer = await engine.read(ReadRequest(changed, (1,)))
    assert answer.readings[0].key != first.readings[1].key


@pytest.mark.parametrize(
    ("update", "error"),
    [
        (DraftUpdate("unknown", 2, 1, Splice(0, 0, ())), Resync),
        (DraftUpdate("b", 1, None, Splice(5, 3, TEXT)), BadInput),
    ],
)
async def test_an_update_that_does_not_fit_is_refused(engine, update, error):
    with pytest.raises(error):
        await engine.read(ReadRequest(update, ()))


async def test_a_closed_document_is_forgotten(engine):
    await engine.read(ReadRequest(sent("c"), (0,)))
    await engine.close_document(CloseRequest("c"))
    with pytest.raises(Resync):
        await engine.read(ReadRequest(sent("c", 2, 1), (0,)))


async def test_the_same_name_in_another_editor_is_a_draft_of_its_own(engine):
    one = await engine.read(ReadRequest(DraftUpdate("one/x", 1, None, Splice(0, 0, ("The sea.",))), (0,)))
    two = await engine.read(ReadRequest(DraftUpdate("two/x", 1, None, Splice(0, 0, ("A letter.",))), (0,)))
    again = await engine.read(ReadRequest(DraftUpdate("one/x", 2, 1, Splice(0, 0, ())), (0,)))
    assert again.readings == one.readings != two.readings


async def test_a_suggestion_streams_and_ends_with_its_results(engine):
    await engine.read(ReadRequest(sent("d"), (0,)))
    events = [event async for event in engine.write(writing("d", candidates=2, max_tokens=6))]
    assert [event.event for event in events[-2:]] == ["result", "result"]
    for result in events[-2:]:
        assert result.text == "".join(e.text for e in events if e.event == "chunk" and e.candidate == result.candidate)


async def test_unknown_names_and_wrong_strengths_are_named(engine):
    await engine.read(ReadRequest(sent("e"), ()))
    with pytest.raises(UnknownFeature, match="“joy”"):
        await engine.card(CardRequest("joy"))
    for dial, error in ((Dial("joy", 1.0), UnknownFeature), (Dial("1.0", 9.0), BadStrength)):
        with pytest.raises(error):
            async for _ in engine.write(writing("e", dials=(dial,))):
                pass
    assert (await engine.card(CardRequest("1.3"))).feature == "1.3"
    assert (await engine.search(SearchRequest("anything"))).hits == ()


async def test_features_are_calibrated_one_after_the_other_and_their_cards_say_so(engine):
    with pytest.raises(UnknownFeature, match="“joy”"):
        [event async for event in engine.calibrate(CalibrateRequest(("joy",)))]
    events = [event async for event in engine.calibrate(CalibrateRequest(("1.5", "2.5"), priority="interactive"))]
    told = [event for event in events if isinstance(event, Calibrated)]
    assert [one.feature for one in told] == ["1.5", "2.5"]
    assert {event.event for event in events} == {"progress", "calibrated"}
    for one in told:
        card = await engine.card(CardRequest(one.feature))
        assert (card.dose, card.output_score) == (one.dose, one.output_score)
        assert card.steers is (False if one.output_score < 0.01 else None)


async def test_a_calibration_that_is_left_keeps_what_was_measured(engine):
    async with aclosing(engine.calibrate(CalibrateRequest())) as events:
        async for event in events:
            if isinstance(event, Calibrated):
                break
    assert (await asyncio.wait_for(engine.card(CardRequest(event.feature)), 5)).dose == event.dose


async def test_a_search_for_features_to_steer_with_is_answered(engine):
    assert (await engine.search(SearchRequest("anything", purpose="steering"))).hits == ()


async def test_leaving_a_suggestion_frees_the_device(engine):
    await engine.read(ReadRequest(sent("f"), ()))
    steps_seen = 0
    async with aclosing(engine.write(writing("f", candidates=8, max_tokens=60))) as events:
        async for event in events:
            if event.event == "chunk":
                steps_seen += 1
                break
    # The device would need sixty steps more: it answers at once.
    answer = await asyncio.wait_for(engine.read(ReadRequest(sent("f", 2, 1), (0,))), 5)
    assert steps_seen == 1 and len(answer.readings) == 1


async def test_a_newer_read_of_a_document_replaces_an_older_one(engine):
    long = tuple(f"Number {n} went out into the rain, and number {n * n} came home." for n in range(300))
    update = DraftUpdate("g", 1, None, Splice(0, 0, long))
    older = asyncio.create_task(engine.read(ReadRequest(update, tuple(range(300)), priority="background")))
    await asyncio.sleep(0.2)
    newer = await engine.read(ReadRequest(DraftUpdate("g", 2, 1, Splice(0, 0, ())), (0,)))
    assert len(newer.readings) == 1
    with pytest.raises(Superseded):
        await older


async def test_malformed_requests_are_answered_without_their_text(engine):
    answer = await engine._http.post("/v1/read", json={"update": "The secret of the novel"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "bad-input"
    assert "secret" not in answer.text


async def test_an_engine_killed_in_the_middle_is_reported_and_started_again(choice):
    engine = await connect(choice)
    await ready(engine)
    endpoint = read_endpoint(runtime_folder() / f"{choice.name}.json")
    await engine.read(ReadRequest(sent("h"), ()))
    events = engine.write(writing("h", candidates=8, max_tokens=60))
    while (await anext(events)).event != "chunk":
        pass
    os.kill(endpoint.pid, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        [event async for event in events]
    await engine.aclose()
    again = await connect(choice)
    await ready(again)
    assert (await again.read(ReadRequest(sent("h"), (0,)))).readings
    await again.aclose()


async def test_weights_that_cannot_be_loaded_are_reported_by_the_engine(places, weights):
    choice = EngineChoice(str(weights.model / "nowhere"), (str(weights.saes["1"]),), "cpu", idle_minutes=5)
    engine = await connect(choice)
    async with aclosing(engine.status()) as changes:
        async for health in changes:
            if health.state == "failed":
                break
    assert "nowhere" in health.message
    with pytest.raises(WeightsMissing, match="nowhere"):
        await engine.search(SearchRequest("sea"))
    await engine.aclose()
    # It does not wait for the idle time: the next editor's engine tries anew.
    while (runtime_folder() / f"{choice.name}.json").exists():
        await asyncio.sleep(0.1)


async def test_what_does_not_fit_the_budget_is_refused_and_the_status_says_how_much_there_is(places, weights):
    choice = EngineChoice(str(weights.model), (str(weights.saes["2"]),), "cpu", idle_minutes=1.0, memory_mb=1)
    engine = await connect(choice)
    await ready(engine)
    with pytest.raises(OutOfMemory, match=r"the budget is 1 MB \(engine\.memory_mb\)"):
        await engine.read(ReadRequest(sent("small"), (0,)))
    health = await engine.health()
    assert health.state == "ready" and health.budget_bytes == 1_000_000 and health.caches_bytes == 0
    assert 0 < health.weights_bytes < health.memory_bytes
    await engine.end()
    await engine.aclose()


async def test_no_engine_and_not_allowed_to_start_one(places):
    with pytest.raises(EngineUnavailable, match="settings say not to start one"):
        await connect(EngineChoice("nothing", start=False))


async def test_over_tcp_a_request_without_the_token_is_refused(places, weights):
    import subprocess
    import sys

    choice = EngineChoice(str(weights.model), (str(weights.saes["1"]),), "cpu", idle_minutes=0.05)
    arguments = ["--model", choice.model, "--sae", *choice.saes, "--device", "cpu", "--idle-minutes", "0.05", "--tcp"]
    process = subprocess.Popen([sys.executable, "-m", "undersong", "engine", *arguments])
    path = runtime_folder() / f"{choice.name}.json"
    while (endpoint := read_endpoint(path)) is None:
        assert process.poll() is None
        await asyncio.sleep(0.05)
    assert endpoint.token is not None and stat.S_IMODE(path.stat().st_mode) == 0o600
    with_token, without = HttpEngine(endpoint), HttpEngine(Endpoint(0, "", port=endpoint.port, token="guess"))
    await with_token.health()
    with pytest.raises(EngineUnavailable, match="token"):
        await without.search(SearchRequest("sea"))
    await with_token.aclose()
    await without.aclose()
    # Nobody is there any more: it ends by itself and leaves nothing behind.
    assert await asyncio.to_thread(process.wait, 30) == 0
    assert not path.exists()


def raising(number: int):
    def bind(self, address):
        raise OSError(number, os.strerror(number))

    return bind


@pytest.mark.parametrize(
    ("number", "says"),
    [(errno.ENOSPC, "no disk space for the engine's socket"), (errno.EACCES, "Permission denied")],
)
def test_a_socket_that_cannot_be_made_says_why(monkeypatch, tmp_path, number, says):
    monkeypatch.setattr(socket.socket, "bind", raising(number), raising=False)
    with pytest.raises(EngineUnavailable, match=says):
        host._listen_unix(tmp_path / "s")


def test_a_path_too_long_for_a_socket_says_what_to_do(tmp_path):
    with pytest.raises(EngineUnavailable, match="UNDERSONG_RUNTIME_DIR"):
        host._listen_unix(tmp_path / ("x" * 120))


def test_a_runtime_folder_open_to_others_is_refused(monkeypatch, tmp_path):
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("UNDERSONG_RUNTIME_DIR", str(tmp_path / "open"))
    with pytest.raises(EngineUnavailable, match="mode 0700"):
        runtime_folder()


def test_a_runtime_folder_that_cannot_be_made_is_named(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UNDERSONG_RUNTIME_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(EngineUnavailable, match="cannot make the folder"):
        runtime_folder()


def test_an_endpoint_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "e.json"
    write_endpoint(path, Endpoint(1, "0", socket="/s"))
    assert read_endpoint(path) == Endpoint(1, "0", socket="/s")
    path.write_text('{"pid": 1, "ver')
    assert read_endpoint(path) is None
    with pytest.raises(EngineUnavailable, match="cannot write"):
        write_endpoint(Path("/dev/full/e.json"), Endpoint(1, "0"))
