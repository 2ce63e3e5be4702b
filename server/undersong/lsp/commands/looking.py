"""undersong.search, .report and .showFeature: answered with JSON or Markdown, and shown where the client can.

With `"quiet": true` nothing is shown: the client does that itself with the answer.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from undersong import errors
from undersong.assist.anchors import Anchor, reanchored
from undersong.assist.cards import card
from undersong.assist.report import draft_report, paragraph_report
from undersong.lsp.commands import arguments as given
from undersong.lsp.evidence import feature_card, reading_of
from undersong.lsp.pages import show_page
from undersong.wire import SearchRequest

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


async def search(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    """{query, limit?} -> {"hits": [{feature, name, words, steers}]}"""
    query = given.text(arguments, "query")
    limit = arguments.get("limit", 10)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 100:
        raise errors.BadInput('"limit" must be a whole number from 1 to 100')
    reply = await server.session.client().search(SearchRequest(query, limit))
    if not given.quiet(arguments):
        found = "; ".join(f"{hit.name} ({hit.feature})" for hit in reply.hits)
        server.session.notices.say(types.MessageType.Info, found or "no feature was found")
    return {"hits": [asdict(hit) for hit in reply.hits]}


def report(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    """{uri, anchor?} -> Markdown: what a paragraph carries, or without an anchor the draft."""
    draft = server.session.draft(given.text(arguments, "uri"))
    if draft is None:
        raise errors.BadInput("this draft is not open")
    now = draft.snapshot()
    if "anchor" in arguments:
        anchored = Anchor.from_json(arguments["anchor"])
        index = reanchored(anchored, now.document, now.segments)
        text = paragraph_report(now, index, draft.receipt(index))
    else:
        text = draft_report(now)
    return _shown(server, arguments, "report", text)


async def show_feature(server: UndersongServer, arguments: dict[str, Any]) -> Any:
    """{feature, uri?, anchor?} -> Markdown: the evidence for a feature, with its reading in a paragraph."""
    feature, _ = given.feature_and_name(arguments)
    session = server.session
    uri = arguments.get("uri")
    draft = session.draft(uri) if isinstance(uri, str) else None
    reading = None
    if draft is not None and "anchor" in arguments:
        anchored = Anchor.from_json(arguments["anchor"])
        try:
            index = reanchored(anchored, draft.document, draft.segments)
            reading = reading_of(draft.readings.at(index), feature)
        except errors.Stale:
            reading = None
    found = await feature_card(session, feature)
    text = card(found, reading, None if draft is None else draft.settings)
    return _shown(server, arguments, "feature", text)


def _shown(server: UndersongServer, arguments: dict[str, Any], name: str, text: str) -> str:
    if not given.quiet(arguments):
        show_page(server, name, text)
    return text
