"""Kernels for decoding are compiled or read while the engine already answers; until then torch decodes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Generator
from contextlib import suppress
from threading import Thread

from undersong.engine.parts import Parts
from undersong.engine.scheduler import Rank, Scheduler
from undersong.model import decoding
from undersong.model.decoding import native

logger = logging.getLogger(__name__)

_SETTLED = 2.0
"""Seconds: a draft that is there when the engine starts is read first."""


async def compile_kernels(parts: Parts, scheduler: Scheduler) -> None:
    """Ends when writing goes by them, or where they are not for this model."""
    if not decoding.has_kernels(parts.loaded.model):
        return
    await asyncio.sleep(_SETTLED)
    try:
        await _loaded()
    except Exception as error:
        logger.warning("kernels for decoding: %s: %s; torch decodes", type(error).__name__, error)
        return
    await scheduler.submit(_put_to_use(parts), Rank.BACKGROUND).result()


async def _loaded() -> None:
    """On a thread that nobody waits for when the process ends: compiling takes long."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        error: Exception | None = None
        try:
            native.load()
        except Exception as found:
            error = found
        # The engine may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(told, error)

    def told(error: Exception | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)

    Thread(target=run, name="kernels", daemon=True).start()
    await done


def _put_to_use(parts: Parts) -> Generator[None, None, None]:
    model, memory = parts.loaded.model, parts.memory
    model.refit()
    if model.decoder is not None:
        memory.weights += model.decoder.nbytes
        memory.fixed += model.decoder.nbytes
    yield from ()
