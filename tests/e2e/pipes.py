"""A server process over plain pipes, for what a well-behaved client library cannot send."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NO_ENGINE = [sys.executable, "-m", "undersong", "serve", "--stdio", "--no-engine"]
FAKE_ENGINE = [sys.executable, "-m", "tests.e2e.fake_server"]
SECONDS = 30


class Server:
    """Ends with the `with` block, whatever the server does. Every read fails after `SECONDS`."""

    def __init__(self, command: list[str] = NO_ENGINE) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        )
        assert self.process.stdin
        assert self.process.stdout
        assert self.process.stderr
        self.stdin, self.stdout, self.stderr = self.process.stdin, self.process.stdout, self.process.stderr
        self._alarm = threading.Timer(SECONDS, self.process.kill)
        self._alarm.start()
        self._next_id = 0

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._alarm.cancel()
        self.process.kill()
        self.process.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            try:
                stream.close()
            except BrokenPipeError:
                continue

    def write(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def send(self, message: Any) -> None:
        body = json.dumps(message).encode()
        self.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method: str, params: Any = None) -> dict[str, Any]:
        """The whole answer."""
        self._next_id += 1
        self.send({"jsonrpc": "2.0", "id": self._next_id, "method": method, "params": params})
        return self.answer(self._next_id)

    def answer(self, message_id: int | None) -> dict[str, Any]:
        while True:
            message = self.read()
            if "method" not in message and message["id"] == message_id:
                return message

    def read(self) -> dict[str, Any]:
        length = 0
        while line := self.stdout.readline().strip():
            length = int(line.removeprefix(b"Content-Length: "))
        assert length, "the server ended: " + self.stderr.read().decode()
        return json.loads(self.stdout.read(length))

    def initialize(self, **params: Any) -> dict[str, Any]:
        answer = self.ask("initialize", {"processId": None, "capabilities": {"textDocument": {"hover": {}}}, **params})
        self.notify("initialized", {})
        return answer

    def end(self) -> int:
        """The exit status; what the server still says is read, so that it can."""
        self.stdout.read()
        return self.process.wait(SECONDS)
