"""didOpen, didChange, didClose: the editor's text into our immutable documents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


def register(server: UndersongServer) -> None:
    session = server.session

    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        item = params.text_document
        session.open(item.uri, str(item.language_id), item.version, item.text)

    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        session.change(params.text_document.uri, params.text_document.version, list(params.content_changes))

    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        session.close(params.text_document.uri)

    server.feature(types.TEXT_DOCUMENT_DID_OPEN)(did_open)
    server.feature(types.TEXT_DOCUMENT_DID_CHANGE)(did_change)
    server.feature(types.TEXT_DOCUMENT_DID_CLOSE)(did_close)
