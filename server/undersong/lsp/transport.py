"""Standard input and output as two daemon threads, so that neither a slow client nor a large message holds the loop.

The reading thread hands whole bodies to the event loop; the writing thread takes frames from a queue. A client that
stops reading is given up after `MAX_QUEUED_BYTES`, since its answers would otherwise fill the memory.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import BinaryIO

from undersong.lsp import frames

logger = logging.getLogger(__name__)

MAX_QUEUED_BYTES = 64 * 1024 * 1024


class Outbox:
    """pygls' writer over a queue and a thread. `write` returns at once; after a broken pipe it does nothing."""

    def __init__(self, stdout: BinaryIO, on_broken: Callable[[], None]) -> None:
        self._stdout = stdout
        self._on_broken = on_broken
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._queued_bytes = 0
        self._lock = threading.Lock()
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="lsp-writer", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        """Queue one frame."""
        with self._lock:
            if self._broken:
                return
            self._queued_bytes += len(data)
            full = self._queued_bytes > MAX_QUEUED_BYTES
        if full:
            self._break("the client does not read its messages")
            return
        self._queue.put(data)

    def close(self) -> None:
        """Let the thread end once everything queued is written."""
        self._queue.put(None)

    def flush(self, timeout: float) -> None:
        """Wait until everything queued before `close` is written, `timeout` seconds at most."""
        self._thread.join(timeout)

    def _run(self) -> None:
        while (data := self._queue.get()) is not None:
            try:
                self._stdout.write(data)
                # One flush for what is queued: a burst of notifications costs one system call.
                if self._queue.empty():
                    self._stdout.flush()
            except (OSError, ValueError):
                self._break("the client closed its end")
                return
            with self._lock:
                self._queued_bytes -= len(data)

    def _break(self, reason: str) -> None:
        with self._lock:
            if self._broken:
                return
            self._broken = True
        logger.error("Giving the client up: %s", reason)
        self._on_broken()


def start_reading(
    stdin: BinaryIO,
    loop: asyncio.AbstractEventLoop,
    on_body: Callable[[bytes], None],
    on_end: Callable[[], None],
) -> None:
    """Read frames in a daemon thread; `on_body` and `on_end` run on the loop.

    A frame without a length is handed on as an empty body, which is answered as unparsable.
    """

    def run() -> None:
        try:
            while True:
                try:
                    body = frames.read_frame(stdin)
                except frames.BadFrame:
                    body = b""
                if body is None:
                    break
                loop.call_soon_threadsafe(on_body, body)
        except frames.BrokenStream as problem:
            logger.error("Cannot follow the input any further: %s", problem)
        except (OSError, ValueError):
            logger.error("The input was closed")
        except RuntimeError:
            return  # the loop is closed: the process is ending
        try:
            loop.call_soon_threadsafe(on_end)
        except RuntimeError:
            return

    threading.Thread(target=run, name="lsp-reader", daemon=True).start()
