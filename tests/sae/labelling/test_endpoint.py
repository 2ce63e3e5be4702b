"""The endpoint against a server on this machine that the test starts."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from undersong.errors import BadInput, EngineUnavailable
from undersong.sae.labelling.chat import Message
from undersong.sae.labelling.endpoint import Endpoint, is_here

ASK = [Message("system", "Be brief."), Message("user", "a secret draft")]
KEY = "sk-very-secret"


class Server:
    """Answers with `replies` in turn: (status, headers, body); then with 500. Keeps what it was sent."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, dict[str, str], Any]] = []
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append((self.path, dict(self.headers), body))
                status, headers, answer = outer.replies.pop(0) if outer.replies else (500, {}, {})
                sent = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(sent))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def says(text: object) -> tuple[int, dict[str, str], Any]:
    return 200, {}, {"choices": [{"message": {"role": "assistant", "content": text}}]}


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def endpoint(server: Server, pauses: list[float]) -> Iterator[Endpoint]:
    endpoint = Endpoint(server.url + "/", "small", KEY, sleep=pauses.append)
    yield endpoint
    endpoint.close()


def test_a_question_is_a_chat_completion(server: Server, endpoint: Endpoint) -> None:
    server.replies = [says("NAME: ships")]
    assert endpoint.ask(ASK, 50) == "NAME: ships" and endpoint.name == "small"
    path, headers, body = server.requests[0]
    assert path == "/v1/chat/completions" and headers["Authorization"] == f"Bearer {KEY}"
    assert body == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a secret draft"}],
        "max_tokens": 50,
        "temperature": 0,
        "stream": False,
    }


def test_a_busy_server_is_asked_again(server: Server, endpoint: Endpoint, pauses: list[float]) -> None:
    server.replies = [(429, {"Retry-After": "7"}, {}), (503, {}, {}), says("yes")]
    assert endpoint.ask(ASK, 5) == "yes" and pauses == [7, 2]


def test_a_server_that_stays_busy_is_given_up(server: Server, endpoint: Endpoint, pauses: list[float]) -> None:
    with pytest.raises(EngineUnavailable, match=r"answered 500, 5 times") as caught:
        endpoint.ask(ASK, 5)
    assert pauses == [1, 2, 4, 8] and KEY not in caught.value.message and "secret" not in caught.value.message


def test_what_is_wrong_is_said_without_key_or_text(server: Server, endpoint: Endpoint) -> None:
    server.replies = [(401, {}, {"error": {"message": f"bad key {KEY}: a secret draft", "code": "invalid_api_key"}})]
    with pytest.raises(BadInput, match=r"/v1 answered 401 \(invalid_api_key\)") as caught:
        endpoint.ask(ASK, 5)
    assert KEY not in caught.value.message and "secret" not in caught.value.message


def test_redirects_are_not_followed(server: Server, endpoint: Endpoint) -> None:
    server.replies = [(307, {"Location": "http://example.org/v1/chat/completions"}, {})]
    with pytest.raises(BadInput, match="answered 307"):
        endpoint.ask(ASK, 5)


@pytest.mark.parametrize(
    "answer", [says(3), says(["text"]), (200, {}, "<html>busy</html>"), (200, {}, {"choices": []})]
)
def test_what_is_no_answer_is_asked_for_again_and_then_an_error(
    server: Server, endpoint: Endpoint, pauses: list[float], answer: tuple[int, dict[str, str], Any]
) -> None:
    server.replies = [answer, says("yes"), *[answer] * 5]
    assert endpoint.ask(ASK, 5) == "yes" and pauses == [1]
    with pytest.raises(EngineUnavailable, match=r"answered 200 without text in choices\[0\].message.content, 5 times"):
        endpoint.ask(ASK, 5)


def test_a_server_that_says_nothing_is_not_waited_for_without_end() -> None:
    pauses: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = Endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}/v1", "m", timeout=0.1, sleep=pauses.append)
        with pytest.raises(EngineUnavailable, match="could not be asked: ReadTimeout, 5 times"):
            endpoint.ask(ASK, 5)
        endpoint.close()
    assert pauses == [1, 2, 4, 8]


def test_a_model_that_only_thought_said_nothing(server: Server, endpoint: Endpoint) -> None:
    server.replies = [says(None)]
    assert endpoint.ask(ASK, 5) == ""


def test_what_a_service_does_not_take_is_not_sent_again(
    server: Server, endpoint: Endpoint, pauses: list[float]
) -> None:
    refused = [
        (400, {}, {"error": {"param": name, "code": "unsupported_parameter"}}) for name in ("max_tokens", "temperature")
    ]
    server.replies = [*refused, says("yes"), says("again"), refused[0]]
    assert endpoint.ask(ASK, 5) == "yes" and endpoint.ask(ASK, 5) == "again" and pauses == []
    taken = [{"max_tokens", "max_completion_tokens", "temperature"} & body.keys() for _, _, body in server.requests]
    assert (
        taken
        == [{"max_tokens", "temperature"}, {"max_completion_tokens", "temperature"}] + [{"max_completion_tokens"}] * 2
    )
    # What was left out already is no reason to ask on.
    with pytest.raises(BadInput, match="answered 400"):
        endpoint.ask(ASK, 5)


def test_nobody_there_is_said() -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1", "small", sleep=lambda _: None)
    with pytest.raises(EngineUnavailable, match=r"http://127.0.0.1:1/v1 could not be asked: ConnectError, 5 times"):
        endpoint.ask(ASK, 5)
    endpoint.close()


def test_a_key_is_sent_without_its_line_end_and_shown_by_no_error() -> None:
    endpoint = Endpoint("http://127.0.0.1:1/v1", "small", f"  {KEY}\n", sleep=lambda _: None)
    with pytest.raises(EngineUnavailable, match="ConnectError") as caught:
        endpoint.ask(ASK, 5)
    assert KEY not in str(caught.value) and caught.value.__cause__ is None
    endpoint.close()
    for key in ("sk-ключ", "sk-a\nb"):
        with pytest.raises(BadInput, match="expected a key of plain characters") as refused:
            Endpoint("http://127.0.0.1:1/v1", "small", key)
        assert "sk-" not in refused.value.message


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://x/v1", "http://user:pw@x/v1", "http://x/v1?key=1", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadInput, match="expected an address such as") as caught:
        Endpoint(url, "small")
    assert "pw" not in caught.value.message


def test_a_key_never_crosses_the_net_in_clear() -> None:
    with pytest.raises(BadInput, match="expected https where a key is sent"):
        Endpoint("http://example.org/v1", "small", KEY)
    for url, elsewhere in (
        ("https://example.org/v1", True),
        ("http://localhost:1/v1", False),
        ("http://[::1]/v1", False),
    ):
        endpoint = Endpoint(url, "small", KEY)
        assert endpoint.is_elsewhere == elsewhere
        endpoint.close()
    assert is_here("127.0.0.5") and not is_here("10.0.0.1")
