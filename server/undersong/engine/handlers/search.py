"""POST /v1/search: features by the words a writer would use."""

from __future__ import annotations

from dataclasses import replace

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.engine.handlers.common import answer, engine_of
from undersong.wire import SearchReply, SearchRequest

MAX_HITS = 100


def register(app: FastAPI) -> None:
    @app.post("/v1/search", response_model=SearchReply)
    async def search(message: SearchRequest, request: Request) -> Response:
        loaded = engine_of(request).parts.loaded
        hits = loaded.catalogue.search(message.query, min(max(message.limit, 1), MAX_HITS))
        return answer(SearchReply(tuple(replace(hit, steers=loaded.steers.get(hit.feature)) for hit in hits)))
