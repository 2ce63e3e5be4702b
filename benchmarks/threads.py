"""What a second thread brings and costs, beside another program and without: docs/decisions/0005.

    python benchmarks/threads.py --models default gpt2 --rounds 7

`make bench-threads` runs it. Each wait policy of OpenMP (as the environment has it: threads spin for a while; PASSIVE:
they sleep at once) has a process of its own that sleeps while it is not asked. In each round, alone and beside a
program that keeps one core busy, both are asked in turn, and each reads and writes with one thread, with all, and with
as many as the engine would take (model/threads.py). A light model's steps are not held to one thread here but where
that is what is asked for. Medians over all rounds, in ms; writes benchmarks/threads.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.elsewhere import Elsewhere
from benchmarks.figures import keep, machine

OUT = Path(__file__).with_name("threads.json")
WAITS = {"default": None, "PASSIVE": "PASSIVE"}
"""What is said of it -> OMP_WAIT_POLICY."""
WAYS = ("one thread", "all threads", "the policy")
BUSY = (0, 1)
"""Other programs, each with a core of its own."""
WRITTEN = 12
ROWS = (1, 5)
Samples = dict[str, list[float]]


def main() -> None:
    from benchmarks.decoding_peers.models import SHAPES

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=["default", "gpt2"])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="what all threads are")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "undersong-decoding")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--inside", metavar="FOLDER", help="be the process that is asked, of this model")
    arguments = parser.parse_args()
    if arguments.inside is not None:
        answer(arguments.inside)
        return
    from benchmarks.decoding_peers.job import Job
    from benchmarks.decoding_peers.models import prepare

    settings = {"rounds": arguments.rounds, "threads": arguments.threads, "written": WRITTEN}
    models: dict[str, Any] = {}
    for name in arguments.models:
        job = Job.read(prepare(name, arguments.work, arguments.threads, precisions=()))
        models[name] = {"what": SHAPES[name].what, **measured(job.folder, arguments.threads, arguments.rounds)}
        print(table(name, models[name]["ms"]), flush=True)
        keep(arguments.out, {"machine": machine(), "settings": settings, "models": models})


def measured(folder: str, threads: int, rounds: int) -> dict[str, Any]:
    """`ms`: busy programs -> wait policy -> way -> what was done -> median; `threads`: busy programs -> those that the
    policy took, round by round; `cores_busy_elsewhere` at most, but for those programs."""
    samples: dict[tuple[str, str, str], Samples] = {}
    taken: dict[str, list[int]] = {str(busy): [] for busy in BUSY}
    with ExitStack() as stack:
        asked = {said: stack.enter_context(Asked(folder, wait, threads)) for said, wait in WAITS.items()}
        elsewhere = Elsewhere([each.pid for each in asked.values()])
        most = 0.0
        # The round before the first is not counted.
        for number in range(-1, rounds):
            for busy in BUSY:
                with others(busy):
                    elsewhere.cores()
                    for said, each in list(asked.items())[:: 1 if number % 2 else -1]:
                        for way in WAYS[:: 1 if number % 2 else -1]:
                            reply = each.ask(way)
                            if number < 0:
                                continue
                            for what, seconds in reply["seconds"].items():
                                samples.setdefault((str(busy), said, way), {}).setdefault(what, []).append(seconds)
                            if way == "the policy":
                                taken[str(busy)].append(reply["threads"])
                    most = max(most, elsewhere.cores() - busy)
            print(f"round {number + 1} of {rounds}: {most:.1f} cores busy elsewhere", file=sys.stderr, flush=True)
    found: dict[str, Any] = {}
    for (busy, said, way), row in samples.items():
        middle = {what: round(statistics.median(seconds) * 1e3, 2) for what, seconds in row.items()}
        found.setdefault(busy, {}).setdefault(said, {})[way] = middle
    return {"ms": found, "threads": taken, "cores_busy_elsewhere": round(most, 2)}


@contextmanager
def others(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many other programs compute while the block runs."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


class Asked:
    """A process that measures when it is asked. SystemExit where it ends by itself."""

    def __init__(self, folder: str, wait: str | None, threads: int) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        environment |= {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        if wait is not None:
            environment["OMP_WAIT_POLICY"] = wait
        command = [sys.executable, __file__, "--inside", folder]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )
        self.pid = self._process.pid

    def ask(self, way: str) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(way + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process that measures ended with {self._process.wait()}")
        return json.loads(line)

    def __enter__(self) -> Asked:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def answer(folder: str) -> None:
    """Of each line of stdin, a way, the seconds of each thing that is done, once, and the number of threads at last."""
    import torch

    from undersong.model import steps
    from undersong.model.decoding import is_light
    from undersong.model.load import load_model
    from undersong.model.packing import pack
    from undersong.model.threads import SECONDS_BETWEEN_LOOKS, Threads

    torch.set_grad_enabled(False)
    most = torch.get_num_threads()
    model = load_model(folder, "cpu")
    policy = Threads(1 if is_light(model) else most)
    pack(model)
    done = actions(model)
    # Else a light model's steps would take one thread whatever is asked for.
    steps.one_thread = nullcontext  # pyright: ignore[reportAttributeAccessIssue]
    for line in sys.stdin:
        way = line.strip()
        if way == "the policy":
            # An engine has looked before: what is seen is this time, not what was measured last.
            policy.keep()
            time.sleep(SECONDS_BETWEEN_LOOKS)
            policy.keep()
        else:
            torch.set_num_threads(most if way == "all threads" else 1)
        seconds: dict[str, float] = {}
        for what, action in done.items():
            if way == "the policy":
                policy.keep()
            seconds[what] = action()
        print(json.dumps({"seconds": seconds, "threads": torch.get_num_threads()}), flush=True)


def actions(model: Any) -> dict[str, Callable[[], float]]:
    """What is measured -> does it once and tells the seconds; of writing those of one step."""
    from undersong.hook_points import HookPoint
    from undersong.model.generation import generate
    from undersong.model.kv_cache import WindowCache
    from undersong.model.sampling import Sampler

    ids = [5 + number % 1000 for number in range(380)]
    window = WindowCache(model, [HookPoint(model.n_layers - 1)])
    written = WindowCache(model, [HookPoint(model.n_layers - 1)])
    written.extend(ids[:128])
    written.complete()

    def read(count: int, after: int) -> float:
        window.crop(0)
        if after:
            window.extend(ids[:after])
        began = time.perf_counter()
        window.extend(ids[after : after + count])
        return time.perf_counter() - began

    def step(rows: int) -> float:
        samplers = [Sampler(temperature=0.0) for _ in range(rows)]
        stamps = [time.perf_counter() for _ in generate(model, written, written.length, samplers, max_tokens=WRITTEN)]
        return (stamps[-1] - stamps[0]) / (len(stamps) - 1)

    return {
        "read 380 tokens": lambda: read(380, 0),
        "read 64 tokens": lambda: read(64, 0),
        "read 30 tokens after 350": lambda: read(30, 350),
        **{f"a step of {rows} row{'s' if rows > 1 else ''}": lambda rows=rows: step(rows) for rows in ROWS},
    }


def table(name: str, found: dict[str, Any]) -> str:
    """`found`: as `measured` has it under `ms`."""
    columns = list(next(iter(found["0"].values()))["one thread"])
    lines = [f"{name}, ms".ljust(42) + "".join(f"{column:>26}" for column in columns)]
    for busy, waits in found.items():
        for said, ways in waits.items():
            for way in WAYS:
                head = f"{busy} busy, {said}, {way}"
                lines.append(head.ljust(42) + "".join(f"{ways[way][column]:26.1f}" for column in columns))
    return "\n".join(lines)


if __name__ == "__main__":
    main()
