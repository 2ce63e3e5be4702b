"""initialized, and the cancelling of progress. The rest of a session's beginning and end is in protocol.py."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from lsprotocol import types

from undersong.lsp.features import configuration

if TYPE_CHECKING:
    from undersong.lsp.server import UndersongServer


def register(server: UndersongServer) -> None:
    session = server.session

    def initialized(_: types.InitializedParams) -> Awaitable[None]:
        configuration.register_dynamically(server)
        return session.connect()

    def progress_cancelled(params: types.WorkDoneProgressCancelParams) -> None:
        session.bars.cancelled(params.token)

    server.feature(types.INITIALIZED)(initialized)
    server.feature(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)(progress_cancelled)
