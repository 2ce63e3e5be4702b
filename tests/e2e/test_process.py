"""The process: how it answers first, and every way in which it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.pipes import FAKE_ENGINE, NO_ENGINE, ROOT, SECONDS, Server
from undersong import __version__


def test_the_greeting_loads_nothing_but_the_standard_library_and_not_much_of_that() -> None:
    code = "import sys, undersong.cli.serve; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    modules = set(loaded.stdout.split())
    assert "undersong.lsp.greeting" in modules
    assert not modules & {
        "pygls",
        "lsprotocol",
        "attrs",
        "attr",
        "cattrs",
        "asyncio",
        "logging",
        "httpx2",
        "torch",
        "numpy",
    }


def test_initialize_is_answered_within_half_a_second() -> None:
    seconds: list[float] = []
    for _ in range(3):
        began = time.perf_counter()
        with Server() as server:
            server.ask("initialize", {"capabilities": {}})
            seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.5


def test_the_greeting_and_the_server_answer_initialize_alike() -> None:
    params = {"processId": None, "capabilities": {"textDocument": {"hover": {}, "inlayHint": {}}}}
    with Server() as greeted, Server() as served:
        first = greeted.ask("initialize", params)
        # What is refused first makes the full server answer.
        assert served.ask("initialize", {})["error"]["code"] == -32602
        second = served.ask("initialize", params)
    assert first["result"] == second["result"]
    assert first["result"]["serverInfo"] == {"name": "undersong", "version": __version__}


def test_exit_after_shutdown_is_status_0() -> None:
    with Server() as server:
        server.initialize()
        assert server.ask("shutdown")["result"] is None
        server.notify("exit")
        assert server.end() == 0


def test_exit_without_shutdown_is_status_1() -> None:
    with Server() as server:
        server.initialize()
        server.notify("exit")
        assert server.end() == 1


def test_exit_as_the_first_message_is_status_1() -> None:
    with Server() as server:
        server.notify("exit")
        assert server.end() == 1


@pytest.mark.parametrize("greet", [True, False])
def test_the_end_of_the_input_ends_the_process(greet: bool) -> None:
    with Server() as server:
        if greet:
            server.initialize()
        server.stdin.close()
        assert server.end() == 1


def test_the_end_of_the_input_after_shutdown_is_status_0() -> None:
    with Server() as server:
        server.initialize()
        server.ask("shutdown")
        server.stdin.close()
        assert server.end() == 0


def test_the_death_of_the_parent_ends_the_process() -> None:
    parent = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        with Server() as server:
            server.initialize(processId=parent.pid)
            assert "result" in server.ask("textDocument/hover", HOVER)
            parent.kill()
            parent.wait()
            began = time.monotonic()
            assert server.end() == 1
            assert time.monotonic() - began < 5
    finally:
        parent.kill()
        parent.wait()


HOVER = {"textDocument": {"uri": "file:///a.md"}, "position": {"line": 0, "character": 0}}


def test_a_living_parent_is_left_alone() -> None:
    with Server() as server:
        server.initialize(processId=os.getpid())
        time.sleep(1.5)
        assert "result" in server.ask("textDocument/hover", HOVER)


@pytest.mark.parametrize(
    "first",
    [
        b"Content-Length: 3\r\n\r\n{}}",
        b"Content-Length: 2\r\n\r\n[]",
        b"Content-Type: text/plain\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
    ],
)
def test_a_broken_first_frame_is_answered_and_the_session_goes_on(first: bytes) -> None:
    with Server() as server:
        server.write(first)
        assert server.answer(None)["error"]["code"] in (-32700, -32600)
        assert "result" in server.initialize()
        assert "result" in server.ask("textDocument/hover", HOVER)


def test_a_request_before_initialize_is_refused() -> None:
    with Server() as server:
        assert server.ask("textDocument/hover", HOVER)["error"]["code"] == -32002
        assert "result" in server.initialize()


def test_headers_are_read_as_the_protocol_allows() -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}).encode()
    with Server() as server:
        server.write(
            b"content-length: %d\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n%s"
            % (len(body), body)
        )
        assert "result" in server.answer(1)


def test_an_endless_header_or_an_impossible_length_ends_the_process() -> None:
    for data in (b"x" * 10_000, b"Content-Length: 99999999999\r\n\r\n"):
        with Server() as server:
            server.initialize()
            server.write(data)
            assert server.end() == 1


def test_a_client_that_does_not_read_cannot_hold_the_server() -> None:
    """Its pipe fills; what comes in is still taken, and the process ends when it is told to."""
    with Server(FAKE_ENGINE) as server:
        server.initialize()
        for number in range(3_000):
            # Each answer is some hundred bytes; nobody reads them.
            server.send({"jsonrpc": "2.0", "id": number + 100, "method": "no/such/method/" + "x" * 60})
        server.notify("exit")
        assert server.process.wait(SECONDS) == 1


def test_a_client_that_closes_its_end_ends_the_process() -> None:
    with Server(FAKE_ENGINE) as server:
        server.initialize()
        server.stdout.close()
        for _ in range(5):
            try:
                server.send({"jsonrpc": "2.0", "id": 7, "method": "no/such"})
            except BrokenPipeError:
                break
            time.sleep(0.1)
        assert server.process.wait(SECONDS) == 1


def test_the_log_holds_no_text(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Server([*NO_ENGINE, "--log-level", "debug", "--log-file", str(log)]) as server:
        server.initialize()
        item = {"uri": "file:///a.md", "languageId": "markdown", "version": 1, "text": "Marguerite is the thief."}
        server.notify("textDocument/didOpen", {"textDocument": item})
        server.ask("textDocument/hover", {"textDocument": "Marguerite"})
        server.ask("textDocument/hover", HOVER)
        server.ask("shutdown")
        server.notify("exit")
        assert server.end() == 0
    assert "Marguerite" not in log.read_text()
