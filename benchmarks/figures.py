"""Samples, their percentiles, and where they are kept."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """Milliseconds. `n`: how many samples."""

    p50: float
    p95: float
    n: int


def figure(samples: list[float]) -> Figure:
    """samples: seconds."""
    ordered = sorted(sample * 1e3 for sample in samples)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))]
    return Figure(round(statistics.median(ordered), 2), round(p95, 2), len(ordered))


async def timed(n: int, action: Callable[[int], Awaitable[object]], warm_up: int = 2) -> list[float]:
    """Seconds of `n` runs of `action(number)`, after a few that do not count."""
    samples: list[float] = []
    for number in range(n + warm_up):
        began = time.perf_counter()
        await action(number)
        if number >= warm_up:
            samples.append(time.perf_counter() - began)
    return samples


def machine() -> dict[str, str | int | None]:
    """What the figures were taken on."""
    import os

    names = ("torch", "transformers", "pygls", "undersong")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        **{name: version(name) for name in names},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def keep(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
