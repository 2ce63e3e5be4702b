"""From a keystroke to fresh hints, against the length of the draft: real server, real engine, the default model.

    python benchmarks/keystroke.py --sizes 1000 10000 50000 200000

`make bench-keystroke` runs it in the environment of the peers, where interp-engine captures the same text at the same
places: it keeps nothing between calls, so that it runs the window of the edit, or the whole draft. Without it those
rows say so. "At the editor" is from `didChange` to the hint of the edited paragraph, over stdio and the engine's
socket; "at the engine" is the engine's part, at its socket. Writes benchmarks/keystroke.json.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.capturing import Capturing
from benchmarks.drafts import draft
from benchmarks.figures import Figure, figure, keep, machine, timed
from benchmarks.sessions import PLACES, SETTINGS, EngineDraft, keystrokes, own_folders, paragraph_at, proses, ready
from benchmarks.sessions import without_refresh as waiting_client
from undersong.cli.editor import Editor
from undersong.client.http import HttpEngine
from undersong.client.launch import EngineChoice, connect

SIZES = (1_000, 10_000, 50_000, 200_000)
OUT = Path(__file__).with_name("keystroke.json")
OPEN, ALL = "at the editor: first hint after opening", "at the engine: reading everything"
WINDOW, WHOLE = "interp-engine: the window of the edit", "interp-engine: the whole draft"

Rows = dict[str, dict[str, Figure]]
"""What was done -> length of the draft -> figure."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="words")
    parser.add_argument("--samples", type=int, default=20, help="keystrokes at each place")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    settings = {"samples": arguments.samples, "threads": arguments.threads}
    rows: Rows = {}
    facts: dict[str, Any] = {}

    def measured() -> None:
        figures = {name: {size: asdict(value) for size, value in row.items()} for name, row in rows.items()}
        told = {"figures": figures, "ratios": compared(rows), "facts": facts}
        keep(arguments.out, {"machine": machine(), "settings": settings, **told})

    with own_folders():
        asyncio.run(measure(arguments.sizes, arguments.samples, arguments.threads, rows, facts, measured))
    show(rows, facts | compared(rows))


async def measure(
    sizes: Sequence[int], n: int, threads: int, rows: Rows, facts: dict[str, Any], measured: Callable[[], None]
) -> None:
    """Fills `rows`, and `facts` with what could not be measured; calls `measured` after each size."""
    engine = await connect(EngineChoice(idle_minutes=5))
    await ready(engine)
    capturing = Capturing.load(threads)
    if isinstance(capturing, str):
        facts["interp-engine"] = capturing
    for size in sizes:
        text = draft(size, seed=1)
        samples = await at_the_engine(engine, size, text, n)
        samples |= await at_the_editor(size, text, n)
        if isinstance(capturing, Capturing):
            windows = capturing.windows(text)
            samples[WINDOW] = await timed(min(n, 10), lambda number, windows=windows: capturing.read(_middle(windows)))
            samples[WHOLE] = await timed(1, lambda number, windows=windows: capturing.read(windows), warm_up=0)
        for name, seconds in samples.items():
            rows.setdefault(name, {})[_column(size)] = figure(seconds)
        measured()
        print(f"{size:,} words done", file=sys.stderr, flush=True)
    await engine.aclose()


async def at_the_engine(engine: HttpEngine, size: int, text: str, n: int) -> dict[str, list[float]]:
    """Seconds. The draft is read whole once; what the editor opens after it is known to the engine."""
    opened = EngineDraft(engine, f"engine-{size}", proses(text))
    began = time.perf_counter()
    await opened.read(range(len(opened.proses)))
    samples = {ALL: [time.perf_counter() - began]}
    for place, share in PLACES.items():
        at = min(len(opened.proses) - 1, int(share * len(opened.proses)))
        samples[f"at the engine: keystroke, {place}"] = await timed(n, lambda number, at=at: opened.keystroke(at))
    return samples


async def at_the_editor(size: int, text: str, n: int) -> dict[str, list[float]]:
    """Seconds. One can type at once: only the paragraph typed in is waited for."""
    uri = f"file:///bench/{size}.md"
    samples: dict[str, list[float]] = {}
    async with Editor(SETTINGS, capabilities=waiting_client()) as editor:
        began = time.perf_counter()
        editor.open(uri, text)
        await editor.hints(uri, paragraph_at(editor, uri, PLACES["middle"]))
        samples[OPEN] = [time.perf_counter() - began]
        for place, share in PLACES.items():
            await editor.hints(uri, paragraph_at(editor, uri, share))
            samples[f"at the editor: keystroke, {place}"] = await keystrokes(editor, uri, share, n)
    return samples


def compared(rows: Rows) -> dict[str, float]:
    """Ratios of medians: the longest draft over the shortest, and what reads more over a keystroke in the middle."""
    found: dict[str, float] = {}
    typed = {name: row for name, row in rows.items() if "keystroke" in name}
    for name, row in typed.items():
        shortest, longest = next(iter(row)), next(reversed(row))
        if longest != shortest:
            found[f"{name}: {longest} over {shortest}"] = row[longest].p50 / row[shortest].p50
    for name in (name for name in typed if name.endswith("middle")):
        for other in (ALL, WINDOW, WHOLE):
            for size, value in rows.get(other, {}).items():
                found[f"{other} over {name}, {size}"] = value.p50 / typed[name][size].p50
    return {name: round(ratio, 2) for name, ratio in found.items()}


def _middle(windows: list[list[int]]) -> list[list[int]]:
    return windows[len(windows) // 2 :][:1]


def show(rows: Rows, facts: dict[str, Any]) -> None:
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    print(f"{'ms, p50 / p95':42}" + "".join(f"{column:>22}" for column in columns))
    for name, row in rows.items():
        cells = (_cell(row[column]) if column in row else "" for column in columns)
        print(f"{name:42}" + "".join(f"{cell:>22}" for cell in cells))
    print()
    for name, value in facts.items():
        print(f"{name:90} {value}")


def _cell(value: Figure) -> str:
    return f"{value.p50:,.1f}" if value.n == 1 else f"{value.p50:,.1f} / {value.p95:,.1f}"


def _column(size: int) -> str:
    return f"{size:,} words"


if __name__ == "__main__":
    main()
