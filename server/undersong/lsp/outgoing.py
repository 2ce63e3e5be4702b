"""What the server says: answers, refusals, questions to the client, notifications. JSON into frames."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from undersong.lsp import failures
from undersong.lsp.frames import frame

logger = logging.getLogger(__name__)

MessageId = int | str

FAILED = types.LSPErrorCodes.RequestFailed.value


@dataclass(frozen=True, slots=True)
class Encoded:
    """A result that is JSON in ASCII already, of which long parts can be kept from one answer to the next."""

    text: str


def encoded(value: Any) -> str:
    """Plain JSON, as short as it can be. ASCII: it carries every text, lone surrogates included."""
    return json.dumps(value, separators=(",", ":"))


def encoded_list(items: Iterable[str]) -> Encoded:
    """A list of values that are JSON already."""
    return Encoded(f"[{','.join(items)}]")


class Outgoing:
    """write: takes one frame; serialize: makes JSON of what json does not know (lsprotocol's types)"""

    def __init__(self, write: Callable[[bytes], None], serialize: Callable[[Any], Any]) -> None:
        self._write = write
        self._serialize = serialize
        self._asked: dict[MessageId, asyncio.Future[Any]] = {}

    def answer(self, message_id: MessageId, result: Any) -> None:
        try:
            if isinstance(result, Encoded):
                body = f'{{"jsonrpc":"2.0","id":{encoded(message_id)},"result":{result.text}}}'.encode("ascii")
            else:
                body = self._encoded({"jsonrpc": "2.0", "id": message_id, "result": result})
        except Exception as problem:
            logger.error("An answer could not be encoded: %s", failures.where(problem))
            self.refuse(message_id, types.ErrorCodes.InternalError.value, "the answer could not be encoded")
            return
        self._write(frame(body))

    def refuse(self, message_id: MessageId | None, code: int, message: str, data: Any = None) -> None:
        error: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            error["data"] = data
        self.send({"jsonrpc": "2.0", "id": message_id, "error": error})

    def tell(self, method: str, params: Any) -> None:
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    async def ask(self, method: str, params: Any) -> Any:
        """The client's result, as plain JSON. Raises JsonRpcException if it refuses."""
        message_id = str(uuid.uuid4())
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked[message_id] = future
        question: dict[str, Any] = {"jsonrpc": "2.0", "id": message_id, "method": method}
        self.send(question if params is None else {**question, "params": params})
        try:
            return await future
        finally:
            self._asked.pop(message_id, None)

    def settle(self, message_id: MessageId | None, message: dict[str, Any]) -> None:
        """The client's answer to a question; one to nothing that was asked is left alone."""
        future = None if message_id is None else self._asked.pop(message_id, None)
        if future is None or future.done():
            return
        if "error" in message:
            error = message["error"]
            code = cast("dict[str, Any]", error).get("code") if isinstance(error, dict) else None
            future.set_exception(JsonRpcException("the client refused", code if isinstance(code, int) else FAILED))
        else:
            future.set_result(message["result"])

    def forget_questions(self) -> None:
        """Nobody waits for the client any more."""
        for future in self._asked.values():
            future.cancel()
        self._asked.clear()

    def send(self, message: Any) -> None:
        self._write(frame(self._encoded(message)))

    def _encoded(self, message: Any) -> bytes:
        return json.dumps(message, default=self._serialize, separators=(",", ":")).encode("ascii")
