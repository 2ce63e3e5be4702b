"""The engine's state: what is loaded, which drafts are open, who is attached. No torch here: it listens before that is
imported.

The event loop owns the drafts and the health; the device thread owns the model, the reader and the writer (parts.py).
What crosses between them is immutable (an Outline) or a Ticket.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from undersong import __version__
from undersong.client.endpoint import EngineChoice
from undersong.engine.folders import cache_folder, kernels_folder
from undersong.engine.scheduler import Rank, Scheduler
from undersong.errors import EngineFailure, EngineLoading, OutOfMemory, UndersongError, from_code
from undersong.garbage import look_through_everything
from undersong.wire import PROTOCOL_VERSION, Health

if TYPE_CHECKING:
    from undersong.engine.parts import Parts

logger = logging.getLogger(__name__)

_CPU_FULL = ("DefaultCPUAllocator", "not enough memory", "out of memory")
"""How torch says so where it has no class for it: on the CPU and on MPS it raises a plain RuntimeError."""


class Engine:
    """One per process."""

    def __init__(
        self, choice: EngineChoice, doses_path: Path | None = None, prepare: Callable[[], None] = lambda: None
    ) -> None:
        """`prepare`: called on the device thread when all is loaded, before requests are answered."""
        self.choice = choice
        self._prepare = prepare
        self.scheduler = Scheduler(_translated, self._before_step)
        self._doses_path = doses_path or cache_folder() / "doses.sqlite"
        self._parts: Parts | None = None
        self._failure: UndersongError | None = None
        self._attached = 0
        self._asked = 0
        self._health = Health("loading", "starting", __version__, PROTOCOL_VERSION)
        self._change = asyncio.Event()
        self._last_seen = asyncio.get_running_loop().time()
        self._loading: asyncio.Task[None] | None = None
        self._compiling: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to load. Answers are EngineLoading until that is done."""
        self.scheduler.start()
        self._loading = asyncio.create_task(self._load())

    async def close(self) -> None:
        for task in (self._loading, self._compiling):
            if task is not None:
                task.cancel()
        # Nobody waits for a torch that is being imported: see host.py.
        await asyncio.to_thread(self.scheduler.close, wait=not self.loading)

    @property
    def parts(self) -> Parts:
        """Raises EngineLoading before the model is there, and what went wrong where it cannot be loaded."""
        if self._parts is not None:
            return self._parts
        if self._failure is not None:
            raise from_code(self._failure.code, self._failure.message)
        raise EngineLoading(f"the engine is still {self._health.message}")

    @property
    def health(self) -> Health:
        health = replace(self._health, clients=self._attached, memory_bytes=psutil.Process().memory_info().rss)
        if self._parts is None:
            return health
        memory = self._parts.memory
        return replace(health, weights_bytes=memory.weights, caches_bytes=memory.in_caches, budget_bytes=memory.most)

    @property
    def loading(self) -> bool:
        return self._health.state == "loading"

    @property
    def idle_seconds(self) -> float:
        """How long nobody has been attached and nothing was being answered; 0 while somebody is or something is."""
        return 0.0 if self._attached or self._asked else asyncio.get_running_loop().time() - self._last_seen

    @contextmanager
    def answering(self) -> Iterator[None]:
        """A request is under way while the block runs, however long it takes."""
        self._asked += 1
        try:
            yield
        finally:
            self._asked -= 1
            self._last_seen = asyncio.get_running_loop().time()

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Somebody is here while the block runs."""
        self._attached += 1
        self._tell()
        try:
            yield
        finally:
            self._attached -= 1
            self._tell()

    @property
    def change(self) -> asyncio.Event:
        """Set at the next change of health; ask for it before reading the health."""
        return self._change

    def _before_step(self) -> None:
        if self._parts is not None:
            self._parts.threads.keep()

    async def _load(self) -> None:
        try:
            ticket = self.scheduler.submit(self._load_steps(), Rank.READ)
            async for step in ticket.events():
                message, progress = step
                self._tell(replace(self._health, message=message, progress=progress))
            parts: Parts = await ticket.result()
            self._parts = parts
        except UndersongError as error:
            self._fail(error)
        except Exception as error:
            logger.exception("loading failed")
            self._fail(EngineFailure(f"loading failed: {type(error).__name__}: {error}"))
        else:
            model = parts.loaded.model
            self._tell(
                replace(
                    self._health,
                    state="ready",
                    message="ready",
                    progress=1.0,
                    model=model.name,
                    device=str(model.device),
                    dtype=str(model.dtype).removeprefix("torch."),
                    context=model.context,
                    saes=tuple(parts.loaded.dictionaries),
                    warnings=parts.loaded.warnings,
                )
            )
            from undersong.engine.compiling import compile_kernels

            self._compiling = asyncio.create_task(compile_kernels(parts, self.scheduler, kernels_folder()))

    def _load_steps(self) -> Generator[tuple[str, float], None, Parts]:
        # What is imported and loaded stays: to look for garbage among it, again and again, takes a second.
        gc.disable()
        try:
            yield "loading torch", 0.02
            from undersong.engine import parts

            made = yield from parts.made(self.choice, self._doses_path)
            self._prepare()
            # Not looked through once more: that takes a third of a second, and finds less than a megabyte.
            gc.freeze()
            return made
        finally:
            gc.enable()

    def _fail(self, error: UndersongError) -> None:
        self._failure = error
        self._tell(replace(self._health, state="failed", message=error.message))

    def _tell(self, health: Health | None = None) -> None:
        self._health = health or self._health
        self._change.set()
        self._change = asyncio.Event()


def _translated(error: BaseException) -> UndersongError | None:
    """Running out of memory is answered as such: that request did not fit, the engine lives on."""
    said = str(error) if isinstance(error, RuntimeError) else ""
    torch = sys.modules.get("torch")
    kinds = (MemoryError,) if torch is None else (MemoryError, torch.OutOfMemoryError)
    if isinstance(error, kinds) or any(sign in said for sign in _CPU_FULL):
        look_through_everything()
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()
        return OutOfMemory("not enough memory for this request; the engine goes on")
    return None
