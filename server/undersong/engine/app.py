"""The engine as an ASGI application.

Every request of wire.py is one file in handlers/ and one line in its table; those that need torch are registered when
the engine is loaded, so that it listens before that. Errors become `wire.Failure` with the status of their class;
nothing of the writer's text is logged.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from traceback import format_tb
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from undersong import __version__
from undersong.client.endpoint import EngineChoice
from undersong.engine.engine import Engine
from undersong.engine.handlers import AT_ONCE, HANDLERS
from undersong.errors import (
    BadInput,
    Cancelled,
    EngineFailure,
    EngineLoading,
    EngineUnavailable,
    OutOfMemory,
    Resync,
    Stale,
    Superseded,
    UndersongError,
    UnknownFeature,
)
from undersong.wire import Failure

logger = logging.getLogger(__name__)

STATUS: tuple[tuple[type[UndersongError], int], ...] = (
    (UnknownFeature, 404),
    (BadInput, 422),
    (Resync, 409),
    (Stale, 409),
    (Superseded, 409),
    (Cancelled, 499),
    (EngineLoading, 503),
    (OutOfMemory, 507),
    (EngineFailure, 500),
    (UndersongError, 500),
)
"""The first class that fits gives the HTTP status."""


def create_app(choice: EngineChoice, token: str | None = None, doses: Path | None = None) -> FastAPI:
    """The application; the engine starts with it. `token`: asked of every request where it is given."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.engine = Engine(choice, doses, lambda: _register(app, HANDLERS.keys() - AT_ONCE))
        app.state.engine.start()
        yield
        await app.state.engine.close()

    app = FastAPI(title="Undersong engine", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    _register(app, AT_ONCE)
    app.router.default = _not_yet(app.router.default)
    app.add_exception_handler(UndersongError, _failure)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_middleware(Guard, token=token)
    return app


def _register(app: FastAPI, names: Iterable[str]) -> None:
    for name in names:
        import_module(HANDLERS[name]).register(app)


def _not_yet(otherwise: ASGIApp) -> ASGIApp:
    """What answers where no route is registered: until the engine is loaded that it is not, or why it cannot be."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            _ = scope["app"].state.engine.parts
        await otherwise(scope, receive, send)

    return answer


def failure(error: UndersongError) -> dict[str, Any]:
    """The body of wire.Failure."""
    return asdict(Failure(error.code, error.message, error.nearest if isinstance(error, UnknownFeature) else ()))


async def _failure(request: Request, error: Exception) -> Response:
    assert isinstance(error, UndersongError)
    status = next(status for kind, status in STATUS if isinstance(error, kind))
    return JSONResponse(failure(error), status)


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and what kind only: the values may be the writer's text.
    places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors())
    return JSONResponse(failure(BadInput(f"malformed request: {places}")), 422)


class Guard:
    """Lets in who has the token, notes that somebody is there, and answers for what nobody else caught."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"]).get(b"authorization", b"")
        if self._token is not None and not hmac.compare_digest(sent, f"Bearer {self._token}".encode()):
            await JSONResponse(failure(EngineUnavailable("wrong or missing token")), 401)(scope, receive, send)
            return
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with scope["app"].state.engine.answering():
            try:
                await self._app(scope, receive, noted)
            except Exception as error:
                # Here and not in the server around us: that one would log the message, which may quote the text.
                logger.error(
                    "%s failed: %s\n%s", scope["path"], type(error).__name__, "".join(format_tb(error.__traceback__))
                )
                if not begun:
                    answer = failure(EngineFailure(f"{scope['path']} failed: {type(error).__name__}"))
                    await JSONResponse(answer, 500)(scope, receive, send)
