"""How long an engine takes to start, and a second editor to attach to one that runs, with the default model.

`make bench-startup` runs it, prints a table and writes benchmarks/startup.json. Each start is that of a new process,
in folders of its own, with the files in the system's cache. Where the time goes is what the engine's status says while
it loads, and, inside one process, what each import and each file takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import Figure, figure, keep, machine, timed
from undersong.client.launch import EngineChoice, connect
from undersong.lsp.frames import frame, read_frame

OUT = Path(__file__).with_name("startup.json")
Samples = dict[str, list[float]]
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "processId": None,
        "rootUri": None,
        "capabilities": {"experimental": {"undersong": {"status": True}}},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=7)
    parser.add_argument("--inside", action="store_true", help="one start inside this process, told as JSON")
    arguments = parser.parse_args()
    if arguments.inside:
        print(json.dumps(inside()))
        return
    # Not at the top: what a process imports is measured here.
    from benchmarks.sessions import own_folders

    with own_folders():
        rows, memory = asyncio.run(measure(arguments.samples))
    figures = {name: figure(samples) for name, samples in rows.items()}
    show(figures, memory)
    keep(
        OUT,
        {"machine": machine(), "figures": {name: asdict(value) for name, value in figures.items()}, "memory": memory},
    )


async def measure(n: int) -> tuple[Samples, dict[str, int]]:
    rows: Samples = {}
    await _start({}, warm_up=True)
    memory: dict[str, int] = {}
    for _ in range(n):
        memory = await _start(rows)
    for _ in range(n):
        for name, seconds in json.loads(_child("--inside")).items():
            rows.setdefault(f"inside: {name}", []).append(seconds)
    engine = await connect(EngineChoice(idle_minutes=5))
    from benchmarks.sessions import ready

    await ready(engine)
    for number in range(n + 1):
        for name, seconds in _second_editor().items():
            if number:
                rows.setdefault(f"second editor: {name}", []).append(seconds)
    rows["second editor: connect alone"] = await timed(max(10, n), _connect)
    await engine.end()
    await engine.aclose()
    return rows, memory


async def _start(rows: Samples, warm_up: bool = False) -> dict[str, int]:
    """One engine from its process to ready, then ended. What it takes in memory then, in bytes."""
    began = last = time.perf_counter()
    engine = await connect(EngineChoice(idle_minutes=5))
    answers = time.perf_counter()
    said = "from answering to the first stage"
    stages: Samples = {}
    async with aclosing(engine.status()) as changes:
        async for health in changes:
            now = time.perf_counter()
            stages.setdefault(said, []).append(now - last if stages else now - answers)
            # Those of one kind are one stage: "loading SAE 1 of 2".
            said, last = health.message.partition(" SAE ")[0], now
            if health.state != "loading":
                break
    if health.state == "failed":
        raise SystemExit(health.message)
    rows.setdefault("engine answers (from spawn)", []).append(answers - began)
    rows.setdefault("engine ready (from spawn)", []).append(time.perf_counter() - began)
    for name, seconds in stages.items():
        rows.setdefault(f"stage: {name}", []).append(sum(seconds))
    now = await engine.health()
    await engine.end()
    await engine.aclose()
    return {
        "process": now.memory_bytes,
        "weights": now.weights_bytes,
        "caches": now.caches_bytes,
        "budget": now.budget_bytes,
    }


def _second_editor() -> dict[str, float]:
    """A front end from its process to its answer, and until it says that the engine is ready. Seconds."""
    command = [sys.executable, "-m", "undersong", "serve", "--stdio"]
    began = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(frame(json.dumps(INITIALIZE).encode()))
        process.stdin.flush()
        found = {"initialize (from spawn)": _until(process.stdout, lambda message: message.get("id") == 1) - began}
        process.stdin.write(frame(b'{"jsonrpc":"2.0","method":"initialized","params":{}}'))
        process.stdin.flush()
        initialized = time.perf_counter()
        ready = _until(
            process.stdout,
            lambda message: message.get("method") == "undersong/status" and message["params"]["state"] == "ready",
        )
        found["ready (from spawn)"], found["ready (from initialized)"] = ready - began, ready - initialized
        process.kill()
    return found


def _until(stream: Any, wanted: Any) -> float:
    """When a message came that is `wanted`."""
    while True:
        body = read_frame(stream)
        if body is None:
            raise SystemExit("the front end ended")
        if wanted(json.loads(body)):
            return time.perf_counter()


async def _connect(number: int) -> None:
    engine = await connect(EngineChoice(start=False))
    await engine.aclose()


def inside() -> dict[str, float]:
    """Seconds of each part of a start, in a process that has done nothing else."""
    import gc

    gc.disable()
    found: dict[str, float] = {}

    @contextmanager
    def part(name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        found[name] = time.perf_counter() - began

    with part("import the application (fastapi, uvicorn)"):
        import undersong.engine.host
    with part("import torch"):
        import torch
    with part("import transformers, and the rest of ours"):
        import undersong.engine.parts  # noqa: F401
    from undersong.catalogue.store import Catalogue
    from undersong.engine import weights
    from undersong.engine.importing import lean
    from undersong.model.load import load_model
    from undersong.sae.load import load_sae

    torch.set_grad_enabled(False)
    folder = weights.find_default()
    with part("read the manifest and check the hashes"):
        manifest = weights.read_manifest(folder)
        weights.verify(folder, manifest)
    with part("load the model"), lean():
        load_model(folder / manifest.model)
    with part("load the SAEs"):
        for entry in manifest.saes:
            if entry.is_loaded:
                load_sae(folder / entry.path, id=entry.id)
    with part("open the catalogue and read its names"):
        assert manifest.catalogue is not None
        Catalogue.open(folder / manifest.catalogue).names()
    return found


def _child(*arguments: str) -> str:
    done = subprocess.run([sys.executable, __file__, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def show(figures: dict[str, Figure], memory: dict[str, int]) -> None:
    print(f"{'ms, p50 / p95':60}")
    for name, value in figures.items():
        print(f"{name:60}{value.p50:10.0f} / {value.p95:.0f}")
    for name, value in memory.items():
        print(f"memory, MB: {name:48}{value / 1e6:10.0f}")


if __name__ == "__main__":
    main()
