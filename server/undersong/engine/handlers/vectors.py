"""POST /v1/vectors: what paragraphs carry, for an index of notes."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.engine.bulk import weights_fingerprint
from undersong.engine.handlers.common import answer, engine_of, while_connected
from undersong.engine.noting import vectors as read_vectors
from undersong.engine.scheduler import Rank
from undersong.wire import VectorsReply, VectorsRequest


def register(app: FastAPI) -> None:
    @app.post("/v1/vectors", response_model=VectorsReply)
    async def vectors(message: VectorsRequest, request: Request) -> Response:
        engine = engine_of(request)
        loaded, memory = engine.parts.loaded, engine.parts.memory
        ticket = engine.scheduler.submit(read_vectors(loaded, message.paragraphs, memory=memory), Rank.BACKGROUND)
        async with while_connected(request, ticket):
            found = await ticket.result()
        return answer(VectorsReply(found, loaded.model.name, weights_fingerprint(loaded)))
