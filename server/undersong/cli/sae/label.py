"""`undersong sae label`: names for features, scored; labels.jsonl as it goes on, then catalogue.sqlite.

A run that was stopped goes on where it was when started again with the same arguments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from undersong.cli.sae.chat import add_chat, open_chat
from undersong.cli.sae.progress import ProgressLine
from undersong.cli.sae.shared import (
    add_model,
    count,
    files_of,
    open_model,
    open_sae,
    texts_of,
)
from undersong.errors import BadInput

if TYPE_CHECKING:
    from undersong.model.language_model import LanguageModel
    from undersong.sae.base import SAE
    from undersong.sae.labelling.chat import Chat
    from undersong.sae.labelling.labels import Label

NAMES = ("keyness", "endpoint", "local", "self", "neuronpedia")


@dataclass(frozen=True, slots=True)
class Run:
    """What naming needs. `chat`: who is asked; None: names and scores come from words alone."""

    model: LanguageModel
    sae: SAE
    chat: Chat | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sae", metavar="SAE", help="folder of an SAE")
    add_model(parser)
    parser.add_argument(
        "--data", nargs="+", default=[], metavar="PATH", help="text: .txt, .md, .jsonl (or .zst), folders"
    )
    parser.add_argument(
        "--names",
        choices=NAMES,
        default="keyness",
        help="keyness: from words, offline (default); endpoint: asked of an OpenAI-compatible server; local: of a "
        "transformers instruct model; self: of the model itself; neuronpedia: from an export. Where somebody can be "
        "asked, they score the names too; else words do",
    )
    parser.add_argument("--out", default="labels", metavar="FOLDER", help="where results go (default: labels)")
    parser.add_argument("--id", help="the SAE's id in the catalogue (default: its layer)")
    parser.add_argument("--features", metavar="N-M", help="only these, as 0-99 or 3,5,8 (default: all)")
    parser.add_argument("--tokens", type=count, default=200_000, help="tokens read at most (default: 200000)")
    add_chat(parser)
    parser.add_argument(
        "--parallel", type=count, default=4, help="with --names endpoint: questions at once (default: 4)"
    )
    parser.add_argument(
        "--export",
        metavar="FOLDER",
        help="with --names neuronpedia: v1/MODEL/SOURCE of an export; its names are scored where there is --data",
    )
    parser.add_argument("--per-side", type=count, default=20, help="passages of each kind in a score (default: 20)")


def run(arguments: argparse.Namespace) -> int:
    from undersong.sae.labelling.labels import Journal, write_labels

    check(arguments)
    chat = open_chat(arguments)
    model = open_model(arguments)
    sae = open_sae(arguments.sae, model, arguments.id)
    folder = Path(arguments.out)
    journal = Journal(folder / "labels.jsonl", described(arguments, model.name))
    line = ProgressLine()
    wanted = wanted_features(arguments.features, sae.d_sae)
    left = [feature for feature in wanted if feature not in journal.labels]
    try:
        if left:
            name = namer(arguments, Run(model, sae, chat), line)
            parallel = arguments.parallel if arguments.names == "endpoint" else 1
            done = len(wanted) - len(left)
            line("naming", done, len(wanted))
            for _ in each(name, left, journal.add, parallel):
                done += 1
                line("naming", done, len(wanted))
    except KeyboardInterrupt:
        line.close()
        print(f"stopped; {journal.path} has {len(journal.labels)} labels, the same command goes on", file=sys.stderr)
        return 130
    line.close()
    shown = write_labels(folder / "catalogue.sqlite", journal.labels.values(), sae.id)
    labels = journal.labels.values()
    print(f"{len(labels)} features, {sum(label.name is not None for label in labels)} named, {shown} shown")
    if len(labels) < sae.d_sae:
        untried = sae.d_sae - len(labels)
        print(f"{untried} were not tried: hints have those by id, and leave out what was tried and is not shown")
    for what in ("detection", "fuzzing"):
        scores = [score for label in labels if (score := getattr(label, what)) is not None]
        if scores:
            judges = ", ".join(sorted({label.judge for label in labels if label.judge}))
            print(f"{what}: median {median(scores):.2f} of {len(scores)} that were scored by {judges} (0.5 is chance)")
    print(f"written to {folder}: labels.jsonl, catalogue.sqlite")
    return 0


def each(
    name: Callable[[int], Label | None], features: Sequence[int], keep: Callable[[Label], None], parallel: int
) -> Iterator[None]:
    """Once for each label that was made and kept, `parallel` at a time, in no order. The first failure, or Ctrl-C, ends
    it, once those that are being made are kept too: they may have been paid for."""

    def work(feature: int) -> None:
        label = name(feature)
        if label is not None:
            keep(label)

    if parallel <= 1:
        yield from map(work, features)
        return
    with ThreadPoolExecutor(parallel) as pool:
        running = [pool.submit(work, feature) for feature in features]
        try:
            for future in as_completed(running):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def check(arguments: argparse.Namespace) -> None:
    """BadInput where the way of naming lacks what it needs."""
    needs = {"endpoint": ("endpoint",), "local": ("chat_model",), "neuronpedia": ("export",)}
    for name in needs.get(arguments.names, ()):
        if not getattr(arguments, name):
            raise BadInput(f"label: expected --{name.replace('_', '-')} with --names {arguments.names}")
    if arguments.names != "neuronpedia" and not arguments.data:
        raise BadInput(f"label: expected --data with --names {arguments.names}")


def described(arguments: argparse.Namespace, model: str) -> dict[str, Any]:
    """What the labels depend on: a journal of anything else is not gone on with."""
    own = ("names", "tokens", "endpoint_model", "chat_model", "export", "per_side")
    return {
        "sae": str(Path(arguments.sae).resolve()),
        "model": model,
        "data": [str(Path(path).resolve()) for path in arguments.data],
        "bytes": sum(path.stat().st_size for path in files_of(arguments.data) if path.is_file()),
        **{name: getattr(arguments, name) for name in own},
    }


def wanted_features(stated: str | None, d_sae: int) -> list[int]:
    """BadInput for what is no list of features below `d_sae`."""
    if stated is None:
        return list(range(d_sae))
    found: list[int] = []
    for part in stated.split(","):
        low, dash, high = part.partition("-")
        try:
            found += range(int(low), int(high if dash else low) + 1)
        except ValueError as error:
            raise BadInput(f"--features: expected numbers such as 0-99 or 3,5,8, found {stated!r}") from error
    if not found or max(found) >= d_sae:
        raise BadInput(f"--features: expected features below {d_sae}, found {stated!r}")
    return list(dict.fromkeys(found))


def namer(arguments: argparse.Namespace, run: Run, line: ProgressLine) -> Callable[[int], Label | None]:
    """feature -> its label, or None where there is nothing to say."""
    imported: dict[int, Label] = {}
    if arguments.names == "neuronpedia":
        imported = read_imported(Path(arguments.export), run.sae.d_sae)
        if not arguments.data:
            return imported.get
    from undersong.engine.labelling import Source, read_firings
    from undersong.engine.naming import Naming
    from undersong.engine.subject import ModelSubject

    subject = ModelSubject(run.model, run.sae)
    sources = [Source(path.stem, texts_of([str(path)])) for path in files_of(arguments.data)]
    firings = read_firings(subject, sources, arguments.tokens, line)
    naming = Naming(subject, firings, arguments.names, run.chat, arguments.per_side)
    if arguments.names == "neuronpedia":
        return lambda feature: naming.scored(imported[feature]) if feature in imported else None
    return naming.label


def read_imported(export: Path, d_sae: int) -> dict[int, Label]:
    """feature -> its label. BadInput for an export of a wider SAE: it is not of this one."""
    from undersong.sae.labelling.neuronpedia import read_export

    found = {label.feature: label for label in read_export(export)}
    if found and max(found) >= d_sae:
        raise BadInput(f"label: {export}: expected features below {d_sae}, the SAE's; found {max(found)}")
    return found
