"""POST /v1/notes: passages of the writer's notes that are like a paragraph."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.catalogue.notes import NotesIndex, notes_path
from undersong.catalogue.prose_files import prose_digest
from undersong.engine.bulk import weights_fingerprint
from undersong.engine.handlers.common import answer, engine_of, while_connected
from undersong.engine.loading import Loaded
from undersong.engine.noting import vectors
from undersong.engine.scheduler import Rank
from undersong.errors import BadInput, BadText
from undersong.wire import NoteHit, NotesReply, NotesRequest, SharedFeature, SparseVector

MAX_HITS = 100
NONE = "no notes are indexed for the model that is loaded; expected: undersong notes index FOLDER"


def register(app: FastAPI) -> None:
    @app.post("/v1/notes", response_model=NotesReply)
    async def notes(message: NotesRequest, request: Request) -> Response:
        engine = engine_of(request)
        loaded, memory = engine.parts.loaded, engine.parts.memory
        if not 0 <= message.wanted < len(message.paragraphs):
            raise BadText(f"wanted: expected 0 to {len(message.paragraphs) - 1}, found {message.wanted}")
        if not notes_path(weights_fingerprint(loaded)).exists():
            raise BadInput(NONE)
        steps = vectors(loaded, message.paragraphs, (message.wanted,), memory)
        ticket = engine.scheduler.submit(steps, Rank.WRITE)
        async with while_connected(request, ticket):
            (found,) = await ticket.result()
        own = prose_digest(message.paragraphs[message.wanted])
        limit = min(max(message.limit, 1), MAX_HITS)
        return answer(await asyncio.to_thread(_like, loaded, found, limit, own))


def _like(loaded: Loaded, vector: SparseVector, limit: int, own: str) -> NotesReply:
    index = NotesIndex.open(notes_path(weights_fingerprint(loaded)), loaded.model.name)
    try:
        hits = tuple(
            NoteHit(
                hit.path,
                hit.line,
                hit.ordinal,
                hit.digest,
                hit.score,
                tuple(SharedFeature(feature, loaded.name(feature), share) for feature, share in hit.shared),
            )
            for hit in index.like(vector, limit, without=own)
        )
        return NotesReply(hits, index.paragraphs)
    finally:
        index.close()
