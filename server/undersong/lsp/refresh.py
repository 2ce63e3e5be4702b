"""`workspace/inlayHint/refresh` and `workspace/codeLens/refresh`: both redraw every open file, so they are rare.

The first is sent at once, later ones no closer than `INTERVAL_SECONDS`, and what comes in between is one.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from undersong.lsp.clock import Clock

if TYPE_CHECKING:
    from undersong.lsp.protocol import UndersongProtocol

INTERVAL_SECONDS = 0.5


class Refresher:
    """Asks the client to ask again, where it can."""

    def __init__(self, protocol: UndersongProtocol, clock: Clock) -> None:
        self._protocol = protocol
        self._clock = clock
        self._last = float("-inf")
        self._waiting: asyncio.Future[Any] | None = None

    def request(self) -> None:
        """Something that is shown has changed."""
        profile = self._protocol.profile
        if not (profile.inlay_refresh or profile.lens_refresh) or self._protocol.shutting_down:
            return
        if self._waiting is None or self._waiting.done():
            self._waiting = self._protocol.spawn("refresh", self._send_when_due())

    async def _send_when_due(self) -> None:
        wait = self._last + INTERVAL_SECONDS - self._clock.now()
        if wait > 0:
            await self._clock.sleep(wait)
        self._last = self._clock.now()
        # What asks from here on belongs to the next one.
        self._waiting = None
        profile = self._protocol.profile
        methods = [
            method
            for method, supported in (
                (types.WORKSPACE_INLAY_HINT_REFRESH, profile.inlay_refresh),
                (types.WORKSPACE_CODE_LENS_REFRESH, profile.lens_refresh),
            )
            if supported
        ]
        for method in methods:
            self._protocol.spawn(method, self._ask(method))

    async def _ask(self, method: str) -> None:
        try:
            await self._protocol.ask(method)
        except JsonRpcException:
            return
