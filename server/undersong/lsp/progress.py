"""Work-done progress that the server starts, if the client supports it; else the same calls do nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from undersong.lsp.protocol import UndersongProtocol


class ProgressBars:
    """Those of one session, by token."""

    def __init__(self, protocol: UndersongProtocol) -> None:
        self._protocol = protocol
        self._bars: dict[str, ProgressBar] = {}

    def start(self, title: str, on_cancel: Callable[[], None] | None = None) -> ProgressBar:
        """A new bar, at once. `on_cancel` is called when the person presses its button; None: no button."""
        bar = ProgressBar(self._protocol, title, on_cancel)
        self._bars[bar.token] = bar
        bar.on_end = lambda: self._bars.pop(bar.token, None)
        if self._protocol.profile.work_done_progress:
            self._protocol.spawn("progress", bar.create())
        return bar

    def cancelled(self, token: int | str) -> None:
        """The client sent `window/workDoneProgress/cancel`."""
        bar = self._bars.get(str(token))
        if bar is not None and bar.on_cancel is not None:
            bar.on_cancel()


class ProgressBar:
    """begin, report ..., end: begin is sent once the client has accepted the token, and end if begin was."""

    def __init__(self, protocol: UndersongProtocol, title: str, on_cancel: Callable[[], None] | None) -> None:
        self.token = str(uuid.uuid4())
        self.on_cancel = on_cancel
        self.on_end: Callable[[], object] = lambda: None
        self._protocol = protocol
        self._title = title
        self._begun = False
        self._ended = False
        self._percentage = 0
        self._shown = ("", -1)

    async def create(self) -> None:
        try:
            await self._protocol.ask(
                types.WINDOW_WORK_DONE_PROGRESS_CREATE, types.WorkDoneProgressCreateParams(self.token)
            )
        except (JsonRpcException, asyncio.CancelledError):
            return
        if not self._ended:
            self._begun = True
            self._send(
                types.WorkDoneProgressBegin(
                    title=self._title, cancellable=self.on_cancel is not None, percentage=self._percentage
                )
            )

    def report(self, message: str, share: float) -> None:
        """`share`: 0 to 1; it never goes back, as the protocol wants it. What would look the same is not sent."""
        self._percentage = max(self._percentage, min(100, round(share * 100)))
        shown = (message, self._percentage)
        if self._begun and not self._ended and shown != self._shown:
            self._shown = shown
            self._send(types.WorkDoneProgressReport(message=message, percentage=self._percentage))

    def end(self, message: str | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        self.on_end()
        if self._begun:
            self._send(types.WorkDoneProgressEnd(message=message))

    def _send(
        self, value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd
    ) -> None:
        self._protocol.tell(types.PROGRESS, types.ProgressParams(token=self.token, value=value))
