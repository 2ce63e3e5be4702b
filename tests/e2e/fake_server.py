"""`undersong serve --stdio` with an engine without a model: the real process, pipes, threads and clock."""

from __future__ import annotations

import sys

from undersong.lsp.greeting import greet


def main() -> None:
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    greeting = greet(stdin, stdout)

    from undersong.assist.settings import EngineSettings
    from undersong.client.fake import FakeEngine
    from undersong.client.protocol import EngineClient
    from undersong.lsp.run import serve

    async def connect(_: EngineSettings) -> EngineClient:
        return FakeEngine()

    serve(greeting, stdin, stdout, connect)


if __name__ == "__main__":
    main()
