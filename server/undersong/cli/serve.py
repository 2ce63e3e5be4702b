"""`undersong serve --stdio`: greet, then import the server and go on (see lsp/greeting.py)."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from undersong.lsp.greeting import greet

if TYPE_CHECKING:
    from undersong.assist.settings import EngineSettings
    from undersong.client.protocol import EngineClient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output (always so)")
    parser.add_argument("--no-engine", action="store_true", help="start no engine: to try out an editor's set-up")
    parser.add_argument("--log-level", default="warning", choices=["debug", "info", "warning", "error"])
    parser.add_argument("--log-file", help="write the log here, not to standard error; it never holds your text")
    # vscode-languageclient adds it to every server that it starts; the same pid comes with `initialize`.
    parser.add_argument("--clientProcessId", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
    greeting = greet(stdin, stdout)
    # From here on nothing but the protocol may write to standard output.
    sys.stdout = sys.stderr

    import gc
    import logging

    # What is imported stays: looking for garbage among it would take a tenth of the time until the server is there.
    gc.disable()
    logging.basicConfig(
        level=arguments.log_level.upper(),
        filename=arguments.log_file,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    from undersong.lsp.run import serve

    serve(greeting, stdin, stdout, no_engine if arguments.no_engine else launched_engine)


async def launched_engine(settings: EngineSettings) -> EngineClient:
    """The engine these settings describe, found or started."""
    import asyncio
    import importlib

    if settings.url:
        from undersong.errors import BadSetting

        raise BadSetting("engine.url: this version reaches engines on this machine only; leave it empty")
    # The HTTP client takes a while to import; the editor's first requests come meanwhile.
    launch = await asyncio.to_thread(importlib.import_module, "undersong.client.launch")
    return await launch.connect(
        launch.EngineChoice(
            model=settings.model or None,
            saes=settings.saes,
            device=None if settings.device == "auto" else settings.device,
            idle_minutes=settings.idle_minutes,
            adapter=settings.adapter or None,
            memory_mb=settings.memory_mb,
        )
    )


async def no_engine(settings: EngineSettings) -> EngineClient:
    """For --no-engine."""
    from undersong.errors import BadSetting

    raise BadSetting("there is no engine: the server was started with --no-engine")
