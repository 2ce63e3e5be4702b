"""What the times of a run amount to: medians, ratios of medians, ratios of pairs, shares of the memory's speed."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.decoding_peers import BASE, LLAMA, OURS

Times = Mapping[str, Sequence[float]]
"""Variant (as `variant` names it) -> seconds of one step, one a round."""


def variant(rows: int, steered: bool) -> str:
    return f"{'steered' if steered else 'plain'}, {rows} row{'s' if rows > 1 else ''}"


def medians(times: Times) -> dict[str, dict[str, float]]:
    """Milliseconds of one step by variant: median, least, most, and of how many rounds."""
    return {
        name: {
            "ms": 1e3 * statistics.median(each),
            "low": 1e3 * min(each),
            "high": 1e3 * max(each),
            "n": len(each),
        }
        for name, each in times.items()
        if each
    }


def over(times: Times, other: Times) -> dict[str, float]:
    """The other's median over ours, by variant: above 1 where `times` is the faster."""
    return {
        name: statistics.median(other[name]) / statistics.median(each)
        for name, each in times.items()
        if each and other.get(name)
    }


def pairs(times: Times, above: str, below: str) -> dict[str, float] | None:
    """The ratio of two variants taken one after the other, round by round: median, least and most; None without."""
    found = [a / b for a, b in zip(times.get(above, ()), times.get(below, ()), strict=False)]
    return {"ratio": statistics.median(found), "low": min(found), "high": max(found)} if found else None


def shares(times: Times, weight_bytes: float, bandwidth: float) -> dict[str, float]:
    """Of the least time that reading the weights once takes, `bandwidth` bytes a second: 1 is the limit."""
    return {name: weight_bytes / bandwidth / statistics.median(each) for name, each in times.items() if each}


def summary(
    group: Mapping[str, Times], reference: Mapping[str, Times], counts: Mapping[str, float], bandwidth: float
) -> dict[str, Any]:
    """The figures of each case of a group of processes that took turns, by the case's name.

    `reference`: the cases that others are compared with, by peer, of this group. `counts`: bytes of weights read for
    each token, by case.
    """
    made: dict[str, Any] = {}
    for name, times in group.items():
        precision = name.partition(", ")[2]
        against = {f"{BASE} with a hook": f"{BASE}, float32", f"{LLAMA}, {precision}": f"{LLAMA}, {precision}"}
        made[name] = {
            "figures": medians(times),
            "speed_over": {said: over(times, reference[of]) for said, of in against.items() if of in reference},
            "share_of_bandwidth": shares(times, counts[name], bandwidth),
        }
        paired = {
            "eight rows over one": pairs(times, variant(8, True), variant(1, True)),
            "steered over plain, 1 row": pairs(times, variant(1, True), variant(1, False)),
            "steered over plain, 8 rows": pairs(times, variant(8, True), variant(8, False)),
        }
        made[name]["paired"] = {said: ratio for said, ratio in paired.items() if ratio}
    return made


def table(name: str, content: Mapping[str, Any]) -> str:
    """What was measured of one model, in text."""
    speed = content["bandwidth"]
    lines = [
        f"{name}: {content['weights']:,} weights read a token; memory {speed['of_weights']:.1f} GB/s over "
        f"{speed['buffer_mb']:.0f} MB, {speed['large']:.1f} GB/s over {speed['large_mb']:.0f} MB; "
        f"up to {content['cores_busy_elsewhere']:.1f} cores busy elsewhere",
        f"{'ms a step, median':26}{'variant':18}{'ms':>9}{'x hook':>9}{'x llama':>9}{'of limit':>9}  same ids",
    ]
    for case, row in content["peers"].items():
        if "failed" in row:
            lines.append(f"{case:26}{row['failed']}")
            continue
        for said, figure in row["figures"].items():
            ratios = list(row["speed_over"].items())
            hook = next((each.get(said) for of, each in ratios if of.startswith(BASE)), None)
            llama = next((each.get(said) for of, each in ratios if of.startswith(LLAMA)), None)
            same = row["same_ids"].get(said)
            lines.append(
                f"{case:26}{said:18}{figure['ms']:9.2f}{_ratio(hook):>9}{_ratio(llama):>9}"
                f"{row['share_of_bandwidth'][said]:9.0%}  " + (f"{same['same']} of {same['of']}" if same else "")
            )
        lines += [f"{'':26}{said}: {reason}" for said, reason in row["unable"].items()]
    for case, row in content["peers"].items():
        if case.startswith(OURS):
            lines += [
                f"{case}: {said} {each['ratio']:.2f} ({each['low']:.2f} to {each['high']:.2f})"
                for said, each in row.get("paired", {}).items()
            ]
    return "\n".join(lines)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
