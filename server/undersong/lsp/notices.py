"""What a person must know: `window/showMessage`, each message once a cause."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lsprotocol import types

from undersong import errors
from undersong.lsp import failures

if TYPE_CHECKING:
    from undersong.lsp.protocol import UndersongProtocol


class Notices:
    """Messages of one session."""

    def __init__(self, protocol: UndersongProtocol) -> None:
        self._protocol = protocol
        self._said: set[str] = set()

    def say(self, kind: types.MessageType, text: str) -> None:
        """Show a message; for what answers something the person has just done."""
        if not self._protocol.shutting_down:
            self._protocol.tell(types.WINDOW_SHOW_MESSAGE, types.ShowMessageParams(kind, f"Undersong: {text}"))

    def say_once(self, cause: str, kind: types.MessageType, text: str) -> None:
        """Show a message unless this cause has been told of since it was last forgotten."""
        if cause not in self._said:
            self._said.add(cause)
            self.say(kind, text)

    def forget(self, cause: str) -> None:
        """The cause is gone; if it comes back it is told again."""
        self._said.discard(cause)

    def forget_all_but(self, kind: str, causes: Iterable[str]) -> None:
        """Forget the causes that begin with `kind` and are not among these."""
        kept = frozenset(causes)
        self._said = {cause for cause in self._said if not cause.startswith(kind) or cause in kept}

    def failed(self, error: errors.UndersongError) -> None:
        """Tell of something asked for that could not be done."""
        self.say(failures.translation(error).message_type, error.message)

    def failed_once(self, cause: str, error: errors.UndersongError) -> None:
        self.say_once(cause, failures.translation(error).message_type, error.message)
