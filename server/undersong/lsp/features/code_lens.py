"""textDocument/codeLens: the hints' content on a line of its own. A lens comes with its command: none is resolved."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import lru_cache
from typing import TYPE_CHECKING

from lsprotocol import types

from undersong.assist.anchors import Anchor, anchor
from undersong.assist.draft import Draft
from undersong.assist.kept import PARAGRAPHS
from undersong.assist.lens import Lens, lenses
from undersong.lsp.outgoing import Encoded, encoded, encoded_list
from undersong.lsp.waiting import until_fresh
from undersong.text.span import Span

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer

SURFACES = ("lens", "both")


def register(server: UndersongServer) -> None:
    session = server.session

    def code_lens(params: types.CodeLensParams) -> Encoded | Awaitable[Encoded] | None:
        session.check_dial_files()
        draft = session.draft(params.text_document.uri)
        if draft is None:
            return None
        if draft.settings.hints.surface not in SURFACES:
            return encoded_list(())

        def answer() -> Encoded:
            now = draft.snapshot()
            shown = lenses(now, None, draft.typed_in(session.clock.now()))
            return encoded_list(_lens(server, now, lens) for lens in shown)

        async def wait() -> Encoded:
            await until_fresh(session, draft, Span(0, len(draft.document.text)))
            return answer()

        return answer() if server.profile.lens_refresh else wait()

    server.feature(types.TEXT_DOCUMENT_CODE_LENS)(code_lens)


def _lens(server: UndersongServer, draft: Draft, lens: Lens) -> str:
    """A types.CodeLens as JSON, for the reason that hints are: all of a draft's are asked for at once."""
    start = server.session.positions.place(draft.document, lens.span.start).encoded()
    command = _command(draft.document.uri, lens.title, anchor(draft.document, draft.segments, lens.paragraph))
    return f'{{"range":{{"start":{start},"end":{start}}},"command":{command}}}'


@lru_cache(maxsize=PARAGRAPHS)
def _command(uri: str, title: str, place: Anchor) -> str:
    argument = {"uri": uri, "anchor": place.to_json()}
    return encoded({"title": title, "command": "undersong.report", "arguments": [argument]})
