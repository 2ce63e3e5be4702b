"""Find the engine that a front end wants, or start it.

Two front ends may start one at the same moment: the engine's own lock lets one of them live, and both attach to it.
The engine listens before it loads the model, so attaching takes well under a second; its `status` tells the rest.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from undersong.client.endpoint import EngineChoice, log_folder, read_endpoint, runtime_folder
from undersong.client.http import HttpEngine
from undersong.errors import EngineUnavailable

__all__ = ["EngineChoice", "connect"]

START_SECONDS = 60.0
POLL_SECONDS = 0.05
HEALTH_SECONDS = 10.0
"""An engine answers this at once, even while it loads: one that does not is stopped, or no engine."""
MAX_LOG_BYTES = 1_000_000

_started: list[subprocess.Popen[bytes]] = []
"""Engines that this process started. They outlive it; one that ended is reaped at the next start."""


async def connect(choice: EngineChoice) -> HttpEngine:
    """Attach to the engine of `choice`, starting it if it is not there.

    Raises EngineUnavailable when none runs and `choice.start` is false, or when it ends at once: the message holds
    the last line it wrote.
    """
    endpoint_file = runtime_folder() / f"{choice.name}.json"
    engine = await _attached(endpoint_file)
    if engine is not None:
        return engine
    if not choice.start:
        raise EngineUnavailable("no engine is running, and the settings say not to start one")
    log = _log_file(choice)
    _started[:] = [process for process in _started if process.poll() is None]
    process = _start(choice, log)
    _started.append(process)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
        engine = await _attached(endpoint_file)
        if engine is not None:
            return engine
        ended = process.poll()
        if ended == 0:
            # Another engine held the lock. Either its socket answers soon, or it was about to end: then ours is next.
            _started.remove(process)
            process = _start(choice, log)
            _started.append(process)
        elif ended is not None:
            raise EngineUnavailable(f"the engine ended at once: {_last_line(log)} (log: {log})")
    raise EngineUnavailable(f"the engine did not listen within {START_SECONDS:.0f} s (log: {log})")


async def _attached(endpoint_file: Path) -> HttpEngine | None:
    endpoint = read_endpoint(endpoint_file)
    if endpoint is None:
        return None
    engine = HttpEngine(endpoint)
    try:
        await asyncio.wait_for(engine.health(), HEALTH_SECONDS)
    except (EngineUnavailable, TimeoutError):
        await engine.aclose()
        return None
    except BaseException:
        await engine.aclose()
        raise
    return engine


def _log_file(choice: EngineChoice) -> Path:
    folder = log_folder()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EngineUnavailable(f"cannot make the log folder {folder}: {error.strerror}") from error
    return folder / f"{choice.name}.log"


def _start(choice: EngineChoice, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "undersong", "engine", "--idle-minutes", str(choice.idle_minutes)]
    if choice.memory_mb:
        command += ["--memory-mb", str(choice.memory_mb)]
    if choice.model is not None:
        command += ["--model", choice.model]
    if choice.adapter is not None:
        command += ["--adapter", choice.adapter]
    if choice.saes:
        command += ["--sae", *choice.saes]
    if choice.device is not None:
        command += ["--device", choice.device]
    try:
        # Appended to: an engine that runs already may be writing there.
        full = log.exists() and log.stat().st_size > MAX_LOG_BYTES
        with log.open("wb" if full else "ab") as output:
            # A session of its own: the engine outlives this editor and does not get its signals.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )
    except OSError as error:
        raise EngineUnavailable(f"cannot start the engine: {error}") from error


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it wrote nothing"
