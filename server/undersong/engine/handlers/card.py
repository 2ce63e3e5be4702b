"""POST /v1/card: the evidence for one feature."""

from __future__ import annotations

from dataclasses import replace

from fastapi import FastAPI, Request
from fastapi.responses import Response

from undersong.engine.handlers.common import answer, engine_of
from undersong.engine.steering import Turned, feature_id, find
from undersong.wire import CardRequest, FeatureCard


def register(app: FastAPI) -> None:
    @app.post("/v1/card", response_model=FeatureCard)
    async def card(message: CardRequest, request: Request) -> Response:
        parts = engine_of(request).parts
        found = find(parts.loaded, message.feature)
        name = feature_id(found)
        known = parts.loaded.catalogue.card(name) or _unnamed(name, found)
        steers = parts.loaded.steers.get(name)
        return answer(replace(known, dose=parts.writer.known_dose(name), steers=steers))


def _unnamed(name: str, found: Turned) -> FeatureCard:
    """A feature that no catalogue describes."""
    reference = found.dictionary.reference
    return FeatureCard(
        feature=name,
        name=name,
        provenance="unnamed",
        sae=found.dictionary.sae.hook_name,
        frequency=float(reference.frequency[found.index]),
        max_activation=float(reference.maximum[found.index]),
        promoted=(),
        suppressed=(),
        passages=(),
    )
