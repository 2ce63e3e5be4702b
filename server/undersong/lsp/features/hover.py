"""textDocument/hover: what the sentence carries, from the readings at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from undersong.assist.hover import hover as hover_on

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


def register(server: UndersongServer) -> None:
    session = server.session

    def hover(params: types.HoverParams) -> types.Hover | None:
        session.check_dial_files()
        draft = session.draft(params.text_document.uri)
        if draft is None:
            return None
        found = hover_on(draft.snapshot(), session.positions.offset(draft.document, params.position))
        if found is None:
            return None
        kind = types.MarkupKind.Markdown if server.profile.markdown else types.MarkupKind.PlainText
        return types.Hover(
            types.MarkupContent(kind, found.markdown), session.positions.range(draft.document, found.span)
        )

    server.feature(types.TEXT_DOCUMENT_HOVER)(hover)
