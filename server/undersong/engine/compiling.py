"""Kernels for decoding are compiled or read while the engine already answers; until then torch decodes.

They are compiled in a process of its own, so that neither Python's lock nor a core that torch's threads wait for is
taken from the answers; what it kept is read here, in half a second.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Generator
from pathlib import Path

from undersong.engine.parts import Parts
from undersong.engine.scheduler import Rank, Scheduler
from undersong.model import decoding
from undersong.model.decoding import native

logger = logging.getLogger(__name__)

_SETTLED = 2.0
"""Seconds: a draft that is there when the engine starts is read first."""


async def compile_kernels(parts: Parts, scheduler: Scheduler, folder: Path, settled: float = _SETTLED) -> None:
    """Ends when writing goes by them, or where they are not for this model. `folder`: where they are kept.

    Raises nothing: what went wrong is logged, and torch goes on decoding."""
    await asyncio.sleep(settled)
    try:
        if not await scheduler.submit(_wanted(parts), Rank.BACKGROUND).result():
            return
        if not native.is_loaded() and not native.is_compiled(folder):
            await _compiled_apart(folder)
        await asyncio.to_thread(native.load, folder)
        await scheduler.submit(_put_to_use(parts), Rank.BACKGROUND).result()
    except Exception as error:
        logger.warning("kernels for decoding: %s: %s; torch decodes", type(error).__name__, error)


async def _compiled_apart(folder: Path) -> None:
    command = (sys.executable, "-m", native.__name__, str(folder))
    child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    try:
        _, told = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        raise
    if child.returncode:
        raise RuntimeError(told.decode(errors="replace").strip().rpartition("\n")[2])


def _wanted(parts: Parts) -> Generator[None, None, bool]:
    yield from ()
    return decoding.has_kernels(parts.loaded.model)


def _put_to_use(parts: Parts) -> Generator[None, None, None]:
    yield from ()
    model, memory = parts.loaded.model, parts.memory
    model.refit()
    if model.decoder is not None:
        memory.weights += model.decoder.nbytes
        memory.fixed += model.decoder.nbytes
