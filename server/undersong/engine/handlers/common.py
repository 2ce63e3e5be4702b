"""What the handlers share: the engine behind a request, answers as JSON, and work that ends when the caller leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from pydantic import TypeAdapter

from undersong.engine.engine import Engine
from undersong.engine.scheduler import Ticket


def engine_of(request: Request) -> Engine:
    return request.app.state.engine


@lru_cache(maxsize=32)
def _adapter(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def as_json(message: Any) -> bytes:
    """A wire message as JSON bytes."""
    return _adapter(type(message)).dump_json(message)


def answer(message: Any) -> Response:
    return Response(as_json(message), media_type="application/json")


@asynccontextmanager
async def while_connected(request: Request, ticket: Ticket) -> AsyncIterator[asyncio.Task[None]]:
    """Cancel the ticket's work as soon as the caller has gone (the task given is done then) or the block is left."""
    watch = asyncio.create_task(disconnected(request))
    watch.add_done_callback(lambda _: ticket.cancel())
    try:
        yield watch
    finally:
        ticket.cancel()
        watch.cancel()


async def disconnected(request: Request) -> None:
    """Returns when the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
