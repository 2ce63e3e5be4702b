"""textDocument/inlayHint and inlayHint/resolve.

Hints come from the last readings, which the session carries through every edit, so the answer is ready at once; a
refresh follows when fresh ones are in. The tooltip, with the evidence, is made when a hint is looked at.
"""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from lsprotocol import types

from undersong import errors
from undersong.assist.anchors import Anchor, brief_anchor, reanchored
from undersong.assist.cards import card
from undersong.assist.draft import Draft
from undersong.assist.hints import Hint, HintPart, hints
from undersong.assist.kept import PARAGRAPHS
from undersong.lsp.dial.hints import hints as dial_hints
from undersong.lsp.evidence import card_in_time, reading_of
from undersong.lsp.outgoing import Encoded, encoded, encoded_list
from undersong.lsp.waiting import until_fresh

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer

Answer = Encoded | list[types.InlayHint] | None
SURFACES = ("inlay", "both")
SHOW_TITLE, SHOW_COMMAND = "What is this feature?", "undersong.showFeature"


def register(server: UndersongServer) -> None:
    session = server.session

    def inlay_hint(params: types.InlayHintParams) -> Answer | Awaitable[Answer]:
        session.check_dial_files()
        draft = session.draft(params.text_document.uri)
        if draft is None:
            return None
        if session.dials.text(draft.uri) is not None:
            return dial_hints(session, draft.document, params.range)
        if draft.settings.hints.surface not in SURFACES:
            return encoded_list(())
        span = session.positions.span(draft.document, params.range)
        reader = session.reader(draft.uri)
        if reader is not None:
            reader.look_at(span)

        def answer() -> Encoded:
            now = draft.snapshot()
            shown = hints(now, span, draft.typed_in(session.clock.now()))
            return encoded_list(_hint(server, now, hint) for hint in shown)

        async def wait() -> Encoded:
            await until_fresh(session, draft, span)
            return answer()

        return answer() if server.profile.inlay_refresh else wait()

    def resolve(hint: types.InlayHint) -> Awaitable[types.InlayHint]:
        return _resolved(server, hint)

    server.feature(types.TEXT_DOCUMENT_INLAY_HINT)(inlay_hint)
    server.feature(types.INLAY_HINT_RESOLVE)(resolve)


def _hint(server: UndersongServer, draft: Draft, hint: Hint) -> str:
    """A types.InlayHint as JSON. Some editors ask for every hint of a draft after each keystroke: all but its
    position is kept from one answer to the next."""
    document = draft.document
    position = server.session.positions.place(document, hint.offset).encoded()
    place = brief_anchor(document, draft.segments, hint.paragraph)
    return f'{{"position":{position},{_content(document.uri, hint.parts, place)}'


@lru_cache(maxsize=PARAGRAPHS)
def _content(uri: str, parts: tuple[HintPart, ...], place: Anchor) -> str:
    """The members after the position, and the closing brace."""
    anchored = place.brief()
    label: list[dict[str, Any]] = []
    for part in parts:
        label.append({"value": part.text})
        if part.feature is not None:
            argument = {"uri": uri, "feature": part.feature, "anchor": anchored}
            label[-1]["command"] = {"title": SHOW_TITLE, "command": SHOW_COMMAND, "arguments": [argument]}
    data = {"uri": uri, "anchor": anchored, "features": [part.feature for part in parts]}
    return encoded({"label": label, "paddingLeft": True, "data": data})[1:]


async def _resolved(server: UndersongServer, hint: types.InlayHint) -> types.InlayHint:
    """The hint with a card for each feature: as its tooltip, and as those of its parts, as the client takes them."""
    raw: object = hint.data
    data = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    listed: object = data.get("features")
    features = cast("list[Any]", listed) if isinstance(listed, list) else []
    try:
        # A hint in a dial file stands at no paragraph.
        anchored = Anchor.from_json(data["anchor"]) if "anchor" in data else None
    except errors.BadInput:
        return hint
    cards: dict[str, str] = {}
    for feature in features:
        if isinstance(feature, str) and feature not in cards:
            text = await _card(server, str(data.get("uri")), anchored, feature)
            if text is not None:
                cards[feature] = text
    if cards and server.profile.inlay_resolve_tooltip:
        hint.tooltip = _markup("\n\n---\n\n".join(cards.values()))
    if server.profile.inlay_resolve_part_tooltip and not isinstance(hint.label, str):
        for part, feature in zip(hint.label, features, strict=False):
            if feature in cards:
                part.tooltip = _markup(cards[feature])
    return hint


async def _card(server: UndersongServer, uri: str, anchored: Anchor | None, feature: str) -> str | None:
    """The evidence as Markdown; None when the engine does not say in time."""
    draft = server.session.draft(uri)
    reading = None
    if draft is not None and anchored is not None:
        try:
            index = reanchored(anchored, draft.document, draft.segments)
            reading = reading_of(draft.readings.at(index), feature)
        except errors.Stale:
            reading = None
    found = await card_in_time(server.session, feature)
    return None if found is None else card(found, reading, None if draft is None else draft.settings)


def _markup(text: str) -> types.MarkupContent:
    return types.MarkupContent(types.MarkupKind.Markdown, text)
