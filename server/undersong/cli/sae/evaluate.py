"""`undersong sae evaluate`: how well SAEs stand for what they read; evaluation.json, report.html, features_*."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from undersong.cli.sae.chat import add_chat, open_chat
from undersong.cli.sae.progress import ProgressLine
from undersong.cli.sae.shared import (
    add_data,
    add_model,
    add_reading,
    count,
    files_of,
    named,
    open_dictionary,
    open_model,
    texts_of,
    write_whole,
)
from undersong.errors import BadInput

if TYPE_CHECKING:
    from undersong.sae.evaluation.probing import Task
    from undersong.sae.evaluation.record import Evaluation

PASSAGE_CHARACTERS = 400
MOST_PASSAGES = 400
"""Length of the passages that sources are told by, and how many are taken of each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sae", nargs="+", metavar="SAE", help="folders of SAEs; several are compared")
    add_model(parser)
    add_data(parser)
    parser.add_argument("--out", default="evaluation", metavar="FOLDER", help="where results go (default: evaluation)")
    add_reading(parser)
    parser.add_argument(
        "--probe", nargs="+", default=[], metavar="FILE", help="sparse probing: lines of label, tab, text"
    )
    parser.add_argument(
        "--probe-sources", action="store_true", help="sparse probing: which of the files a passage comes from"
    )
    parser.add_argument(
        "--absorption",
        type=count,
        nargs="?",
        const=4000,
        default=0,
        metavar="WORDS",
        help="feature absorption of first letters, on that many words (4000); for models that can spell, of some two "
        "billion parameters or more",
    )
    parser.add_argument(
        "--sensitivity",
        type=count,
        default=0,
        metavar="N",
        help="of N features, on passages that a language model writes",
    )
    add_chat(parser)


def run(arguments: argparse.Namespace) -> int:
    from undersong.engine.evaluating import Plan, evaluate
    from undersong.engine.labelling import Source, read_firings
    from undersong.engine.sensing import sensitivities
    from undersong.engine.subject import ModelSubject

    chat = open_chat(arguments)
    if arguments.sensitivity and chat is None:
        raise BadInput("evaluate: expected --endpoint or --chat-model with --sensitivity")
    # What can be refused is refused before the model is loaded.
    saes, tasks = named(arguments.sae), tasks_of(arguments)
    model = open_model(arguments)
    plan = Plan(arguments.tokens, arguments.context, arguments.batch, words=arguments.absorption)
    line = ProgressLine()
    folder = Path(arguments.out)
    found: list[Evaluation] = []
    for name, path in saes:
        sae = open_dictionary(path, model)

        def say(what: str, done: int, of: int, name: str = name) -> None:
            line(f"{name}: {what}", done, of)

        found.append(evaluate(model, sae, name, texts_of(arguments.data), tasks, plan, say))
        # What was measured is kept, whatever comes of the next.
        write(found, folder)
        if chat is not None and arguments.sensitivity:
            subject = ModelSubject(model, sae)
            firings = read_firings(subject, [Source("text", texts_of(arguments.data))], arguments.tokens, say)
            measured = sensitivities(subject, firings, chat, arguments.sensitivity, progress=say)
            found[-1] = replace(found[-1], sensitivities=tuple(measured))
            write(found, folder)
    line.close()
    for each in found:
        print(summary(each))
    print(f"written to {folder}: evaluation.json, report.html, features_*.safetensors")
    return 0


def tasks_of(arguments: argparse.Namespace) -> tuple[Task, ...]:
    from undersong.sae.evaluation.probing import FEWEST, read_tasks, source_tasks

    tasks = [task for file in arguments.probe for task in read_tasks(Path(file))]
    if arguments.probe_sources:
        passages: dict[str, list[str]] = {}
        files = files_of(arguments.data)
        stems = Counter(path.stem for path in files)
        for path in files:
            own = (passage for text in texts_of([str(path)]) for passage in cut(text, PASSAGE_CHARACTERS))
            passages[path.stem if stems[path.stem] == 1 else str(path)] = list(islice(own, MOST_PASSAGES))
        told = source_tasks(passages)
        if not told:
            found = ", ".join(f"{len(set(own))} in {name}" for name, own in passages.items())
            raise BadInput(
                f"evaluate: --probe-sources: expected {FEWEST} passages or more of {PASSAGE_CHARACTERS} characters in "
                f"each of two files, no two alike; found {found}"
            )
        tasks += told
    return tuple(tasks)


def cut(text: str, size: int) -> list[str]:
    """Runs of whole words of about `size` characters; what is left at the end is dropped."""
    passages: list[str] = []
    held: list[str] = []
    length = 0
    for word in text.split():
        held.append(word)
        length += len(word) + 1
        if length > size:
            passages.append(" ".join(held))
            held, length = [], 0
    return passages


def write(evaluations: list[Evaluation], folder: Path) -> None:
    from undersong.sae.evaluation.record import as_json, feature_tensors
    from undersong.sae.evaluation.report import html
    from undersong.sae.writing import save_tensors

    stated = [as_json(each) for each in evaluations]
    write_whole(folder / "evaluation.json", json.dumps(stated, indent=1, allow_nan=False) + "\n")
    write_whole(folder / "report.html", html(evaluations))
    for each in evaluations:
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in each.name)
        save_tensors(folder / f"features_{name}.safetensors", feature_tensors(each))


def summary(evaluation: Evaluation) -> str:
    """A line for the terminal, and one for each thing that could not be measured."""
    from undersong.sae.evaluation.report import counted

    measured = evaluation.measured
    parts = [
        f"L0 {measured.fidelity.l0.value:.1f}",
        f"explained variance {measured.fidelity.explained_variance.value:.3f}",
    ]
    if measured.behaviour:
        parts.append(f"CE score {measured.behaviour.ce_loss_score.value:.3f}")
        parts.append(f"KL score {measured.behaviour.kl_div_score.value:.3f}")
    parts += [f"bias {measured.fidelity.relative_reconstruction_bias.value:.3f}", f"dead {measured.dead:.1%}"]
    if evaluation.absorption:
        found = evaluation.absorption
        parts.append(f"absorption {found.fraction:.1%}" if found.measured else "absorption: the model cannot spell")
    lines = [f"{evaluation.name}: {', '.join(parts)} ({counted(evaluation)})"]
    return "\n".join([*lines, *(f"  {note}" for note in evaluation.notes)])
