"""What steered writing costs beside other engines: one vector added behind a middle block, likeliest tokens, CPU.

    python benchmarks/decoding.py --models default gpt2 1b

`make bench-decoding` runs it in the environment of the peers. Every peer (decoding_peers/) has a process of its own and
the same number of threads; in each round each of them writes once in every variant, in turn, so that what else the
machine does falls on all alike. A step is one new token of every row: prompt and set-up do not count. Peers that do not
fit into memory together are measured in groups, each with transformers' `generate` and a hook in it.

Ratios are those of medians over rounds, within one group; ratios of pairs are of runs after one another. What a peer
cannot do is kept with its reason. Prints a table and writes benchmarks/decoding.json; models that are not measured keep
the figures they had.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bandwidth import KINDS, LARGE, read_speed
from benchmarks.decoding_peers import BASE, LLAMA, OURS, PEERS
from benchmarks.decoding_peers.figures import summary, table, variant
from benchmarks.decoding_peers.job import PRECISIONS, Job, Unable, agreeing
from benchmarks.decoding_peers.models import PROMPT, SHAPES, prepare
from benchmarks.decoding_peers.processes import Case, Process, groups
from benchmarks.elsewhere import Elsewhere
from benchmarks.figures import keep, machine

OUT = Path(__file__).with_name("decoding.json")
ROWS = (1, 8)
WIDTHS = {"float32": 4, "float16": 2}
"""Bytes of a weight."""
FIRST = (BASE, OURS, LLAMA)
"""In the first groups, those of a precision side by side: what the ratios need."""


def main() -> None:
    arguments = parsed()
    content: dict[str, Any] = {}
    if arguments.out.exists():
        content = json.loads(arguments.out.read_text(encoding="utf-8")).get("models", {})
    arguments.work.mkdir(parents=True, exist_ok=True)
    for name in arguments.models:
        told = prepare(name, arguments.work, arguments.threads)
        content[name] = measured(name, told, arguments)
        print(table(name, content[name]), flush=True)
        keep(arguments.out, {"models": {each: content[each] for each in SHAPES if each in content}})


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=None, help="new ones a row; none: as the model's shape says")
    parser.add_argument("--threads", type=int, default=2, help="of each peer")
    parser.add_argument(
        "--wait",
        choices=("PASSIVE", "ACTIVE"),
        default=None,
        help="OMP_WAIT_POLICY of all; none: as it is",
    )
    parser.add_argument(
        "--memory", type=float, default=None, help="GB for a group of peers; none: 9/10 of what is free"
    )
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "undersong-decoding")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def measured(name: str, told: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """The figures of one model, as they are kept."""
    job = Job.read(told)
    tokens = arguments.tokens or SHAPES[name].tokens
    speeds = {"of_weights": 0.0, "large": 0.0, "elsewhere": 0.0}
    cases = sorted(
        (Case(peer, precision) for peer in arguments.peers for precision in PEERS[peer].precisions
         if precision in arguments.precisions),
        key=lambda case: (case.peer != BASE, case.peer not in FIRST, PRECISIONS.index(case.precision)),
    )  # fmt: skip
    free = 0.9 * psutil.virtual_memory().available if arguments.memory is None else 1e9 * arguments.memory
    times: list[dict[str, dict[str, list[float]]]] = []
    texts: dict[str, dict[str, list[list[int]]]] = {}
    facts: dict[str, dict[str, Any]] = {case.name: {"unable": {}} for case in cases}
    for group in groups(cases, job, free):
        times.append(in_turns(group, told, tokens, arguments, texts, facts, speeds))
    peers: dict[str, Any] = {}
    for group in times:
        counts = {case: job.weight_count * WIDTHS[case.partition(", ")[2]] for case in group}
        for case, figures in summary(group, group, counts, speeds["of_weights"]).items():
            peers.setdefault(case, figures | facts[case] | {"same_ids": same(texts, case)})
    peers |= {case: found for case, found in facts.items() if "failed" in found}
    return {
        "what": SHAPES[name].what,
        "machine": machine(),
        "settings": {
            "prompt": PROMPT, "tokens": tokens, "rounds": arguments.rounds, "threads": arguments.threads,
            "wait": arguments.wait or os.environ.get("OMP_WAIT_POLICY"), "layer": job.layer,
            "groups": [list(group) for group in times],
        },
        "weights": job.weight_count,
        "cores_busy_elsewhere": speeds["elsewhere"],
        "bandwidth": {
            "of_weights": speeds["of_weights"] / 1e9, "buffer_mb": 4 * job.weight_count / 1e6,
            "large": speeds["large"] / 1e9, "large_mb": LARGE / 1e6, "read by": list(KINDS),
        },
        "peers": {case.name: peers[case.name] for case in sorted(cases, key=lambda case: list(PEERS).index(case.peer))},
    }  # fmt: skip


def in_turns(
    group: Sequence[Case], told: Path, tokens: int, arguments: argparse.Namespace,
    texts: dict[str, dict[str, list[list[int]]]], facts: dict[str, dict[str, Any]], speeds: dict[str, float],
) -> dict[str, dict[str, list[float]]]:  # fmt: skip
    """Seconds of one step by case and variant.

    Fills what each wrote, what each could not do, how fast memory is read and how busy the machine was otherwise.
    """
    times: dict[str, dict[str, list[float]]] = {}
    job = Job.read(told)
    with ExitStack() as stack:
        running: list[Process] = []
        for case in group:
            try:
                log = told.parent / f"{case.peer}-{case.precision}.log"
                running.append(stack.enter_context(Process(case, told, log, arguments.wait)))
            except Unable as error:
                facts[case.name]["failed"] = str(error)
                continue
            facts[case.name] |= running[-1].ready
            times[case.name] = {}
        elsewhere = Elsewhere([process.pid for process in running])
        for number in range(-1, arguments.rounds):
            began = time.perf_counter()
            for kind, size in (("of_weights", 4 * job.weight_count), ("large", LARGE)):
                speeds[kind] = max(speeds[kind], read_speed(size, job.threads))
            for process in running if number % 2 else running[::-1]:
                name = process.case.name
                # The round before the first is not counted: caches fill, and what cannot run says so.
                for rows, steered in variants(process.case.peer, number):
                    said = variant(rows, steered)
                    if said in facts[name]["unable"]:
                        continue
                    try:
                        reply = process.ask(rows, 2 if number < 0 else tokens, steered)
                    except Unable as error:
                        facts[name]["unable"][said] = str(error)
                        continue
                    if number >= 0:
                        times[name].setdefault(said, []).append(reply["seconds"])
                        texts.setdefault(name, {})[said] = reply["ids"]
            took, busy = time.perf_counter() - began, elsewhere.cores()
            speeds["elsewhere"] = max(speeds["elsewhere"], busy)
            told_so = f"{job.name}, {len(running)} processes, round {number + 1}: {took:.0f} s, "
            print(f"{told_so}{busy:.1f} cores busy elsewhere", file=sys.stderr, flush=True)
    return times


def variants(peer: str, number: int) -> list[tuple[int, bool]]:
    """(rows, steered) of one round; what is compared in pairs stands side by side, first now one, now the other."""
    kinds = (True, False) if PEERS[peer].plain else (True,)
    made = [(rows, steered) for rows in ROWS for steered in kinds]
    return made if number % 2 else made[::-1]


def same(texts: dict[str, dict[str, list[list[int]]]], case: str) -> dict[str, dict[str, int]]:
    """Of each variant, how much of the text is what Undersong (without it: transformers) writes in float32."""
    reference = texts.get(f"{OURS}, float32") or texts.get(f"{BASE}, float32") or {}
    return {said: agreeing(ids, reference[said]) for said, ids in texts.get(case, {}).items() if said in reference}


if __name__ == "__main__":
    main()
