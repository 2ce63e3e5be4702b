"""A peer's process: loads what it is told, then answers one request a line until its input ends.

    python -m benchmarks.decoding_peers.worker JOB.json PEER PRECISION

In: {"rows": 1, "tokens": 64, "steered": true}. Out: {"ready": ...} once, then {"ids": ..., "seconds": ...} for each,
or {"failed": reason}. What libraries print goes to stderr.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from benchmarks.decoding_peers import PEERS
from benchmarks.decoding_peers.job import Job, Peer, Unable, answer


def main() -> None:
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    path, name, precision = sys.argv[1:]
    try:
        peer = load(Job.read(Path(path)), name, precision, replies)
    except Exception as error:
        send(replies, {"failed": reason(error)})
        return
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            gc.collect()
            send(replies, answer(peer.write(**asked)))
        except Exception as error:
            send(replies, {"failed": reason(error)})


def load(job: Job, name: str, precision: str, replies: IO[str]) -> Peer:
    entry = PEERS[name]
    began = time.perf_counter()
    found = version(entry.distribution)
    import torch

    torch.set_num_threads(job.threads)
    torch.set_grad_enabled(False)
    peer: Peer = importlib.import_module(f"benchmarks.decoding_peers.{entry.module}").Model(job, precision)
    send(replies, {"ready": {"version": found, "load_seconds": round(time.perf_counter() - began, 2)}})
    return peer


def reason(error: Exception) -> str:
    """In one line."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, Unable) else f"{type(error).__name__}: {text}"


def send(replies: IO[str], content: dict[str, Any]) -> None:
    replies.write(json.dumps(content) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
