"""POST /v1/blend: the features that make up a voice, as a stream of JSON lines (wire.BlendEvent)."""

from __future__ import annotations

from collections.abc import Generator

from fastapi import FastAPI, Request
from fastapi.responses import Response, StreamingResponse

from undersong.engine.blends import find_blend
from undersong.engine.handlers.common import engine_of, event_lines
from undersong.engine.parts import Parts
from undersong.engine.scheduler import Rank
from undersong.wire import BlendEvent, BlendRequest


def register(app: FastAPI) -> None:
    @app.post("/v1/blend")
    async def blend(message: BlendRequest, request: Request) -> Response:
        engine = engine_of(request)
        ticket = engine.scheduler.submit(_steps(engine.parts, message), Rank.BACKGROUND)
        return StreamingResponse(event_lines(request, ticket, "finding a voice"), media_type="application/x-ndjson")


def _steps(parts: Parts, message: BlendRequest) -> Generator[BlendEvent | None, None, None]:
    yield (yield from find_blend(parts.loaded, message, parts.memory))
