"""The language server: pygls' server with our protocol, one session, and the table of features."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

from undersong import __version__
from undersong.lsp import features
from undersong.lsp.capabilities import SERVER_NAME, ClientProfile
from undersong.lsp.clock import Clock, SystemClock
from undersong.lsp.link import Connect
from undersong.lsp.protocol import UndersongProtocol
from undersong.lsp.session import Session

logger = logging.getLogger(__name__)


class UndersongServer(LanguageServer):
    """One editor's server. `protocol` takes and sends messages, `session` is what it knows."""

    # pygls makes it of the class it is given; the base class declares its own.
    protocol: UndersongProtocol  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, connect: Connect, clock: Clock) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            SERVER_NAME, __version__, protocol_cls=UndersongProtocol, converter_factory=default_converter
        )
        self.session = Session(self.protocol, connect, clock)
        self.protocol.on_initialize = self.session.begin
        for register in features.FEATURES:
            register(self)

    @property
    def profile(self) -> ClientProfile:
        return self.protocol.profile


def create_server(connect: Connect, clock: Clock | None = None) -> UndersongServer:
    """A server that is given messages by `protocol.receive` and writes to the writer of `protocol.set_writer`.

    connect: finds or starts an engine for some EngineSettings; raises the classes of errors.py
    clock: the session's time; the system's if None
    """
    silence_pygls()
    return UndersongServer(connect, clock or SystemClock())


def silence_pygls() -> None:
    """pygls logs whole messages, which hold the draft, at several levels; it gets none."""
    logging.getLogger("pygls").setLevel(logging.CRITICAL + 1)


def keep_text_out_of_the_log(loop: asyncio.AbstractEventLoop) -> None:
    """asyncio reports a lost exception with its message, which may quote the draft; only its class is logged."""

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        problem = context.get("exception")
        logger.error("%s (%s)", context.get("message"), type(problem).__name__)

    loop.set_exception_handler(report)
