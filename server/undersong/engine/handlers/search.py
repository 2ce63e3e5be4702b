"""POST /v1/search: features by the words a writer would use."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.engine.handlers.common import answer, engine_of
from undersong.wire import SearchReply, SearchRequest

MAX_HITS = 100


def register(app: FastAPI) -> None:
    @app.post("/v1/search", response_model=SearchReply)
    async def search(message: SearchRequest, request: Request) -> Response:
        catalogue = engine_of(request).parts.loaded.catalogue
        return answer(SearchReply(catalogue.search(message.query, min(max(message.limit, 1), MAX_HITS))))
