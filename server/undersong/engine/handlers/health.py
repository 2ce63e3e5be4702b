"""GET /v1/health: the engine's state now. GET /v1/status: the same as a stream; who holds it open is attached."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from undersong.engine.handlers.common import answer, as_json, disconnected, engine_of
from undersong.wire import Health


def register(app: FastAPI) -> None:
    @app.get("/v1/health", response_model=Health)
    async def health(request: Request) -> Response:
        return answer(engine_of(request).health)

    @app.get("/v1/status")
    async def status(request: Request) -> Response:
        return StreamingResponse(_lines(request), media_type="application/x-ndjson")


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """A line at each change. Whoever goes away is noticed at once, not at the next change."""
    engine = engine_of(request)
    gone = asyncio.create_task(disconnected(request))
    try:
        with engine.attached():
            while not gone.done():
                change = asyncio.create_task(engine.change.wait())
                yield as_json(engine.health) + b"\n"
                await asyncio.wait((change, gone), return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
    finally:
        gone.cancel()
