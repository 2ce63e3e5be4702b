"""Kernels are compiled beside a running engine, kept, and put to use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.decoders import NativeDecoder
from undersong.engine import compiling
from undersong.engine.compiling import compile_kernels
from undersong.engine.folders import kernels_folder
from undersong.engine.memory import Memory
from undersong.engine.scheduler import Scheduler
from undersong.model.decoding import native


@dataclass
class Parts:
    """What is asked of the engine's."""

    loaded: Any
    memory: Memory = field(default_factory=Memory)


@pytest.fixture
def scheduler():
    made = Scheduler()
    made.start()
    yield made
    made.close()


@pytest.fixture
def parts(loaded):
    loaded.model.refit()
    return Parts(loaded)


async def test_kernels_that_are_there_are_put_to_use_and_counted(parts, scheduler):
    await compile_kernels(parts, scheduler, kernels_folder(), settled=0)
    decoder = parts.loaded.model.decoder
    assert isinstance(decoder, NativeDecoder)
    assert parts.memory.weights == parts.memory.fixed == decoder.nbytes > 0


async def test_what_is_not_compiled_yet_is_compiled_in_a_process_of_its_own(parts, scheduler, tmp_path, monkeypatch):
    """A real one, which takes its time."""
    asked: list[Any] = []
    monkeypatch.setattr(native, "is_loaded", lambda: False)
    monkeypatch.setattr(native, "load", lambda folder: asked.append(folder))
    await compile_kernels(parts, scheduler, tmp_path, settled=0)
    assert native.is_compiled(tmp_path) and asked == [tmp_path]


async def test_where_compiling_fails_torch_goes_on_decoding(parts, scheduler, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(native, "is_loaded", lambda: False)
    monkeypatch.setattr(compiling.sys, "executable", "/bin/false")
    await compile_kernels(parts, scheduler, tmp_path, settled=0)
    assert "torch decodes" in caplog.text
    assert not native.is_compiled(tmp_path)
    assert parts.loaded.model.decoder is not None


async def test_an_engine_that_ends_meanwhile_ends_the_compiler_with_it(parts, scheduler, tmp_path, monkeypatch):
    children: list[asyncio.subprocess.Process] = []
    start = asyncio.create_subprocess_exec

    async def started(*command: str, **named: Any) -> asyncio.subprocess.Process:
        children.append(await start(*command, **named))
        return children[-1]

    monkeypatch.setattr(native, "is_loaded", lambda: False)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", started)
    task = asyncio.create_task(compile_kernels(parts, scheduler, tmp_path, settled=0))
    while not children:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(children[0].wait(), 10) != 0
