"""POST /v1/close: a draft is no longer open in that editor."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from undersong.engine.handlers.common import engine_of
from undersong.wire import CloseRequest


def register(app: FastAPI) -> None:
    @app.post("/v1/close")
    async def close(message: CloseRequest, request: Request) -> Response:
        await engine_of(request).parts.drafts.close(message.document)
        return JSONResponse({})
