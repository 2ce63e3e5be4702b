"""The engine as a process: one per choice, on a Unix socket that only its user may open.

1. Take the lock of this choice; another engine that holds it is the one to attach to.
2. Listen (before loading, so that front ends attach at once), write the endpoint file.
3. Serve until nobody has been attached for the idle time, or a signal comes; remove the socket and the endpoint.

Where there are no Unix sockets, or on request, it listens on a loopback port and asks for a token that the endpoint
file (mode 0600) holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from undersong import __version__
from undersong.client.endpoint import MAX_SOCKET_PATH, EngineChoice, runtime_folder, write_endpoint
from undersong.engine.app import create_app
from undersong.errors import EngineUnavailable
from undersong.wire import Endpoint

logger = logging.getLogger(__name__)

IDLE_POLL_SECONDS = 1.0


def run(choice: EngineChoice, tcp: bool) -> int:
    """Serve until idle. Returns the exit status: 0 also where another engine already runs for this choice."""
    folder = runtime_folder()
    with _lock(folder / f"{choice.name}.lock") as held:
        if not held:
            logger.warning("another engine already serves this model")
            return 0
        # Models and libraries may print: nothing but the log may be on stdout.
        os.dup2(2, 1)
        use_tcp = tcp or not hasattr(socket, "AF_UNIX")
        listener, endpoint = _listen_tcp() if use_tcp else _listen_unix(folder / f"{choice.name}.sock")
        endpoint_file = folder / f"{choice.name}.json"
        app = create_app(choice, endpoint.token)
        try:
            write_endpoint(endpoint_file, endpoint)
            with _ended_by_signals():
                asyncio.run(_serve(choice, listener, app))
        finally:
            listener.close()
            endpoint_file.unlink(missing_ok=True)
            if endpoint.socket is not None:
                Path(endpoint.socket).unlink(missing_ok=True)
            engine = getattr(app.state, "engine", None)
            ended_by = sys.exc_info()[1]
            if engine is not None and engine.loading and (ended_by is None or isinstance(ended_by, SystemExit)):
                # The device thread is in the middle of an import or a file, which Python would wait for, or crash in.
                logging.shutdown()
                os._exit(0 if ended_by is None else 128 + signal.SIGTERM)
    return 0


async def _serve(choice: EngineChoice, listener: socket.socket, app: FastAPI) -> None:
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1, ws="none")
    server = uvicorn.Server(config)
    watch = asyncio.create_task(_end_when_idle(server, app, choice.idle_minutes * 60))
    try:
        await server.serve(sockets=[listener])
    finally:
        watch.cancel()
    if not server.started:
        raise EngineUnavailable("the engine could not start serving; the lines above say why")


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """uvicorn raises the signal that ended it once more when it is done: the socket must be removed all the same."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def _end_when_idle(server: uvicorn.Server, app: FastAPI, seconds: float) -> None:
    while True:
        await asyncio.sleep(min(IDLE_POLL_SECONDS, max(seconds, 0.05)))
        engine = getattr(app.state, "engine", None)
        if engine is None:
            continue
        # One that could not load is of no use to the next editor: what was wrong may have been mended by then.
        if engine.idle_seconds > (0 if engine.health.state == "failed" else seconds):
            server.should_exit = True
            return


def _listen_unix(path: Path) -> tuple[socket.socket, Endpoint]:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH:
        raise EngineUnavailable(
            f"the socket's path is too long for this system: expected at most {MAX_SOCKET_PATH} bytes, found "
            f"{len(os.fsencode(path))} in {path}; set UNDERSONG_RUNTIME_DIR to a shorter folder"
        )
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        # We hold the lock, so a socket that lies here is a dead engine's.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise EngineUnavailable(_why_not(path, error)) from error
    finally:
        os.umask(before)
    return listener, Endpoint(pid=os.getpid(), version=__version__, socket=str(path))


def _why_not(path: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return f"no disk space for the engine's socket at {path}: free some, or set UNDERSONG_RUNTIME_DIR elsewhere"
    return f"cannot make the engine's socket at {path}: {error.strerror}"


def _listen_tcp() -> tuple[socket.socket, Endpoint]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    token = secrets.token_urlsafe(32)
    return listener, Endpoint(pid=os.getpid(), version=__version__, port=listener.getsockname()[1], token=token)


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold `path` exclusively while the block runs; False where another process does."""
    try:
        file = path.open("a+b")
    except OSError as error:
        raise EngineUnavailable(_why_not(path, error)) from error
    with file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
