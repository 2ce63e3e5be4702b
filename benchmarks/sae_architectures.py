"""Every architecture trained on the default model, on the same tokens, and measured on text held out.

    python benchmarks/sae_architectures.py --data corpus/fiction-core.txt.zst \\
        --held-out corpus/fiction-heldout.txt.zst --out /tmp/architectures --minutes 35

1. the model reads both texts once; what passes at the hook points is kept in --out
2. `--processes` processes of one thread each train one example after another, at several sparsities each; an example
   is kept in --out/<name> as `undersong sae train` writes it
3. each is measured: L0, explained variance, shrinkage, dead and dense features on --held-out-tokens tokens, the
   cross-entropy score on the first --score-tokens of them

Stopped (Ctrl-C, --minutes) and begun again it goes on where it was. Whatever is finished goes into
benchmarks/sae_architectures.json; benchmarks/sae_tables.py puts that into docs/sae-training.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import keep, machine
from benchmarks.sae_activations import CONTEXT, read_once, unpacked
from benchmarks.sae_examples import Example, examples
from undersong.cli.sae.shared import default_model, open_dictionary
from undersong.cli.sae.train import reach_of
from undersong.engine.subject import ModelSubject
from undersong.engine.training import jobs, write
from undersong.hook_points import HookPoint
from undersong.model.language_model import LanguageModel
from undersong.model.load import load_model
from undersong.sae.evaluation.joined import Dictionary, places_of
from undersong.sae.evaluation.metrics import BehaviourMeter, FidelityMeter
from undersong.sae.training.activations import StoredStream
from undersong.sae.training.learner import LearnerPlan
from undersong.sae.training.schedules import Schedule
from undersong.sae.training.texts import TextFiles
from undersong.sae.training.trainer import Run, RunPlan

OUT = Path(__file__).with_name("sae_architectures.json")
ROW = "measured.json"
_stop: Event


def main() -> None:
    arguments = parsed()
    settle(arguments)
    torch.set_num_threads(arguments.processes)
    model = opened(arguments)
    chosen = [each for each in examples(arguments.layer, model.n_layers) if fits(each, arguments.only)]
    work = multiprocessing.get_context("spawn")
    stop = work.Event()
    timer = threading.Timer(60 * arguments.minutes, stop.set)
    timer.daemon = True
    timer.start()
    for files, tokens in texts_of(arguments):
        read_once(model, points_of(chosen), files, tokens, arguments.out / "activations")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ProcessPoolExecutor(arguments.processes, work, _begin, (stop,)) as pool:
        for row in pool.map(made, chosen, [arguments] * len(chosen)):
            if row is not None:
                print(line(row), file=sys.stderr, flush=True)
    rows = [row for each in chosen if (row := row_of(each, arguments)) is not None]
    keep(arguments.json, {"machine": machine(), "settings": settings(arguments), "rows": rows})
    if len(rows) < len(chosen):
        sys.exit(f"{len(rows)} of {len(chosen)} examples are made; run again to go on")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", nargs="+", required=True, help=".txt, .md, .jsonl, or one of these packed as .zst")
    add("--held-out", nargs="+", required=True, help="the same; none of it in --data")
    add("--out", type=Path, required=True)
    add("--json", type=Path, default=OUT)
    add("--model", help="default: the shipped one")
    add("--layer", type=int, default=3, help="one with a layer on both sides")
    add("--only", nargs="+", help="kinds: standard, topk, ...")
    add("--minutes", type=float, default=10_000, help="stop after so many")
    add("--processes", type=int, default=2)
    add("--width", type=int, default=2048)
    add("--tokens", type=int, default=800_000)
    add("--batch", type=int, default=2048)
    add("--rate", type=float, default=3e-3, help="high, for a run so short")
    add("--warm-up", type=int, default=20, help="steps")
    add("--dead-after", type=int, default=160_000)
    add("--held-out-tokens", type=int, default=100_000)
    add("--score-tokens", type=int, default=20_000)
    add("--seed", type=int, default=0)
    return parser.parse_args()


def fits(example: Example, only: Sequence[str] | None) -> bool:
    return only is None or example.kind in only


def opened(arguments: argparse.Namespace) -> LanguageModel:
    return load_model(arguments.model or default_model(), "cpu")


def texts_of(arguments: argparse.Namespace) -> list[tuple[list[Path], int]]:
    """(files, tokens) of the text to train on and of that to measure on."""
    folder = arguments.out / "text"
    return [
        (unpacked(arguments.data, folder), arguments.tokens),
        (unpacked(arguments.held_out, folder), arguments.held_out_tokens),
    ]


def points_of(chosen: Sequence[Example]) -> list[HookPoint]:
    return list(dict.fromkeys(point for example in chosen for point in reach_of(example.hook).points))


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """What an example must have been made with to be taken as it is."""
    left_out = ("out", "json", "only", "minutes", "processes")
    named = {name: value for name, value in vars(arguments).items() if name not in left_out}
    return {**named, **{name: [Path(path).name for path in named[name]] for name in ("data", "held_out")}}


def settle(arguments: argparse.Namespace) -> None:
    """Keep the settings in --out, where everything is made with the same. SystemExit where it has others."""
    path = arguments.out / "settings.json"
    if path.exists() and (found := json.loads(path.read_text("utf-8"))) != settings(arguments):
        other = [f"{name} {value}" for name, value in settings(arguments).items() if found.get(name) != value]
        sys.exit(f"{path}: expected {', '.join(other)}; found others: use another --out")
    arguments.out.mkdir(parents=True, exist_ok=True)
    keep(path, settings(arguments))


def _begin(stop: Event) -> None:
    """In each process: one thread, and whether to stop is told by the first process alone."""
    global _stop
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _stop = stop


def row_of(example: Example, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """What is in --out; None where the example is not made yet."""
    path = arguments.out / example.name / ROW
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def made(example: Example, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """The example's row, trained and measured if that was not done before; None where it was stopped first."""
    done = row_of(example, arguments)
    if done is not None or _stop.is_set():
        return done
    model = opened(arguments)
    trained = train(example, model, arguments, _stop.is_set)
    if trained is None:
        return None
    row = {"kind": example.kind, "setting": example.setting, "hook": example.hook}
    row |= measured(trained, model, arguments)
    part = arguments.out / example.name / f"{ROW}.part"
    part.write_text(json.dumps(row) + "\n", "utf-8")
    os.replace(part, arguments.out / example.name / ROW)
    return row


def train(
    example: Example, model: LanguageModel, arguments: argparse.Namespace, stopped: Callable[[], bool]
) -> Path | None:
    """Where the SAE lies; None if training was stopped."""
    reach = reach_of(example.hook)
    (files, tokens), _ = texts_of(arguments)
    held = read_once(model, points_of([example]), files, tokens, arguments.out / "activations")
    plan = LearnerPlan(
        arguments.rate,
        Schedule(arguments.warm_up, sparsity_warm_up=arguments.warm_up),
        dead_after=arguments.dead_after,
        seed=arguments.seed,
    )
    found = {point: each.shape[1] for point, each in held.items()}
    (job,) = jobs([reach], example.objective, round(example.width * arguments.width), found, plan, model.device)
    facts = {**settings(arguments), "objective": repr(example.objective)}
    run = Run(
        [job],
        StoredStream(held, arguments.batch, arguments.seed),
        RunPlan(arguments.tokens, arguments.batch, facts=facts),
        arguments.out / example.name,
    )
    run.resume()
    if not run.go(stopped=stopped):
        return None
    return write(job, arguments.out / example.name, model.name, CONTEXT, model.bos_id is not None, facts)


def measured(path: Path, model: LanguageModel, arguments: argparse.Namespace) -> dict[str, float]:
    dictionary = open_dictionary(str(path), model)
    fidelity, dead, dense = kept_of(dictionary, model, arguments)
    behaviour = BehaviourMeter(subject := ModelSubject(model, dictionary))
    _, (files, _) = texts_of(arguments)
    pieces = TextFiles(files)
    windows = subject.windows(islice(pieces.since(0), len(pieces)), 128, arguments.score_tokens)
    while rows := list(islice(windows, 8)):
        ids = torch.stack(rows)
        seen = subject.seen(ids)
        behaviour.add(ids, seen, dictionary.rebuild(seen.read))
    score = behaviour.figures().ce_loss_score
    return {
        "l0": round(fidelity.l0.value, 2),
        "ce_loss_score": round(score.value, 4),
        "ce_loss_score_error": round(score.error, 4),
        "explained_variance": round(fidelity.explained_variance.value, 4),
        "relative_reconstruction_bias": round(fidelity.relative_reconstruction_bias.value, 4),
        "l2_ratio": round(fidelity.l2_ratio.value, 4),
        "dead": round(dead, 4),
        "dense": round(dense, 4),
    }


def kept_of(dictionary: Dictionary, model: LanguageModel, arguments: argparse.Namespace) -> tuple[Any, float, float]:
    """(fidelity, share of dead features, share of those active in over a tenth) on the held-out activations."""
    reads, writes = places_of(dictionary)
    _, (files, tokens) = texts_of(arguments)
    points = list(dict.fromkeys((*reads, *writes)))
    held = read_once(model, points, files, tokens, arguments.out / "activations")
    meter = FidelityMeter(dictionary)
    n = len(held[points[0]])
    for begin in range(0, n, 4096):
        read, wanted = (rows_of(held, places, begin) for places in (reads, writes))
        meter.add(read, wanted, torch.ones(read.shape[:2], dtype=torch.bool))
    density = meter.features().density
    return meter.figures(), float((density == 0).double().mean()), float((density > 0.1).double().mean())


def rows_of(held: dict[HookPoint, Tensor], places: Sequence[HookPoint], begin: int) -> Tensor:
    """[rows, 128, widths side by side] float32 from `begin` on, what fills no row left out."""
    whole = torch.cat([held[point][begin : begin + 4096].float() for point in places], dim=1)
    length = min(128, len(whole))
    return whole[: len(whole) // length * length].reshape(-1, length, whole.shape[1])


def line(row: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


if __name__ == "__main__":
    main()
