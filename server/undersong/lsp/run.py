"""The process around a server on standard input and output: how it starts, and every way in which it ends.

It ends at `exit` (status 0 after `shutdown`, else 1), at the end of its input, when the client stops reading, and
when the process that the client named as its parent is gone. From then on it has `DEADLINE_SECONDS`, kept by a
thread, so that no work and no lock can hold it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
from typing import BinaryIO, NoReturn

import psutil

from undersong.garbage import set_aside_what_survives
from undersong.lsp.greeting import Greeting
from undersong.lsp.link import Connect
from undersong.lsp.server import UndersongServer, create_server, keep_text_out_of_the_log
from undersong.lsp.transport import Outbox, start_reading

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 2.0
PARENT_POLL_SECONDS = 1.0


def serve(greeting: Greeting, stdin: BinaryIO, stdout: BinaryIO, connect: Connect) -> NoReturn:
    """Serve one session, whose first frame has been read, and end the process."""
    if greeting.body is None:
        end_process(1)
    server = create_server(connect)
    # What was imported lives as long as the process: no collection needs to look at it again.
    set_aside_what_survives()
    gc.enable()
    code = asyncio.run(_serve(server, greeting, stdin, stdout))
    end_process(code)


async def _serve(server: UndersongServer, greeting: Greeting, stdin: BinaryIO, stdout: BinaryIO) -> int:
    loop = asyncio.get_running_loop()
    keep_text_out_of_the_log(loop)
    protocol = server.protocol
    ended = asyncio.Event()

    def on_exit(code: int) -> None:
        start_deadline(code)
        ended.set()

    protocol.on_exit = on_exit

    def on_broken() -> None:
        loop.call_soon_threadsafe(protocol.exit, 1)

    outbox = Outbox(stdout, on_broken)
    protocol.set_writer(outbox)
    assert greeting.body is not None
    if greeting.answered:
        protocol.receive_answered(greeting.body)
    else:
        protocol.receive(greeting.body)
    start_reading(stdin, loop, protocol.receive, lambda: protocol.exit(0 if protocol.shutting_down else 1))
    watch = asyncio.create_task(_watch_parent(server))
    await ended.wait()
    watch.cancel()
    await server.session.end()
    outbox.close()
    outbox.flush(DEADLINE_SECONDS / 2)
    return protocol.exit_code if protocol.exit_code is not None else 1


async def _watch_parent(server: UndersongServer) -> None:
    """An editor that was killed says nothing, and may leave its end of the pipe to a child of its own."""
    while server.process_id is None:
        await asyncio.sleep(PARENT_POLL_SECONDS)
    try:
        parent = psutil.Process(server.process_id)
        while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(PARENT_POLL_SECONDS)
    except psutil.NoSuchProcess:
        pass
    except psutil.AccessDenied:
        return
    logger.warning("The parent process is gone")
    server.protocol.exit(1)


def start_deadline(code: int) -> None:
    """End the process with `code` in two seconds, whatever else happens."""
    timer = threading.Timer(DEADLINE_SECONDS, end_process, [code])
    timer.daemon = True
    timer.start()


def end_process(code: int) -> NoReturn:
    """Without finalisation: a thread that waits in a read of stdin would make it fail."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
