"""POST /v1/read: what paragraphs of a draft carry."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.engine.handlers.common import answer, engine_of, while_connected
from undersong.engine.scheduler import Rank
from undersong.engine.steering import feature_id, lookup
from undersong.errors import BadText
from undersong.wire import ReadReply, ReadRequest


def register(app: FastAPI) -> None:
    @app.post("/v1/read", response_model=ReadReply)
    async def read(message: ReadRequest, request: Request) -> Response:
        parts = engine_of(request).parts
        draft = await parts.drafts.update(message.update)
        outline = draft.outline
        wrong = [paragraph for paragraph in message.wanted if not 0 <= paragraph < len(outline.passages)]
        if wrong:
            raise BadText(f"expected paragraphs from 0 to {len(outline.passages) - 1}, found {wrong[0]}")
        if message.received is not None:
            draft.received(message.received)
        # A name that is unknown is passed over: the front end told the writer when it was set.
        watch = [feature_id(found) for name in message.watch if (found := lookup(parts.loaded, name)) is not None]
        rank = Rank.READ if message.priority == "interactive" else Rank.BACKGROUND
        steps = parts.reader.read(outline, message.wanted, watch)
        ticket = engine_of(request).scheduler.submit(steps, rank, ("read", message.update.document))
        async with while_connected(request, ticket):
            readings = await ticket.result()
        return answer(draft.reply(outline, readings))
