"""The peers' processes as the benchmark sees them: started, asked one at a time, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.decoding_peers import PEERS
from benchmarks.decoding_peers.job import Job, Unable

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Case:
    """A peer with weights of one precision."""

    peer: str
    precision: str

    @property
    def name(self) -> str:
        return f"{self.peer}, {self.precision}"

    def memory(self, job: Job) -> float:
        """Bytes that its process takes, about: the weights as often as they are held while it loads."""
        return PEERS[self.peer].copies * job.all_weights * {"float32": 4, "float16": 2}[self.precision] + (1 << 29)


class Process:
    """Sleeps while it is not asked. Unable where it does not start or cannot do what is asked.

    `log` keeps its stderr. `wait`: OMP_WAIT_POLICY; None: as this process has it.
    """

    def __init__(self, case: Case, job: Path, log: Path, wait: str | None = None) -> None:
        self.case, self._log = case, log
        paths = [str(ROOT / "server"), str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "OMP_NUM_THREADS": str(Job.read(job).threads),
            "HF_HUB_OFFLINE": "1",
            **({} if wait is None else {"OMP_WAIT_POLICY": wait}),
            **PEERS[case.peer].environment,
        }
        command = [sys.executable, "-m", "benchmarks.decoding_peers.worker", str(job), case.peer, case.precision]
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, encoding="utf-8",
            )  # fmt: skip
        try:
            self.ready: dict[str, Any] = self._reply()["ready"]
        except Unable:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, rows: int, tokens: int, steered: bool) -> dict[str, Any]:
        """{"ids": ..., "seconds": of one step}"""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"rows": rows, "tokens": tokens, "steered": steered}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Unable(self._end()) from None
        return self._reply()

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unable(self._end())
        told = json.loads(line)
        if "failed" in told:
            raise Unable(told["failed"])
        return told

    def _end(self) -> str:
        code = self._process.wait()
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return f"ended with {code}: {lines[-1][:200] if lines else 'no word'}"


def groups(cases: Iterable[Case], job: Job, budget: float) -> list[list[Case]]:
    """Those that fit into `budget` bytes together, in their order; the first case is in every group, to compare with.

    One that fits into none is in a group with the first alone: it may still run, and says so if not.
    """
    first, *others = cases
    made: list[list[Case]] = [[first]]
    for case in others:
        if sum(each.memory(job) for each in [*made[-1], case]) > budget and len(made[-1]) > 1:
            made.append([first])
        made[-1].append(case)
    return made
