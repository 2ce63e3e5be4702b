"""What is known of a feature once it was named: kept line by line while a run goes on, then a catalogue."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Any

from undersong.catalogue.build import CatalogueRow, write_catalogue
from undersong.errors import BadInput
from undersong.wire import FeatureCard, Passage

VERSION = 1
MOST_FREQUENT = 0.08
"""A feature active on more than this share of the text is not shown: it tells little (engine/presence.py)."""
LEAST_DETECTION = 0.6
"""Nor is one whose name was tried and fits little better than chance, 0.5."""


@dataclass(frozen=True, slots=True)
class Label:
    """`name` None: unnamed. `words`: what it may be searched by. Scores as in undersong.sae.labelling.scoring, by
    `judge`, "" where there are none.

    `frequency`: share of tokens, or passages, on which it is active. None: not measured.
    """

    feature: int
    name: str | None
    explanation: str
    provenance: str
    words: tuple[str, ...] = ()
    detection: float | None = None
    fuzzing: float | None = None
    frequency: float | None = None
    maximum: float | None = None
    promoted: tuple[str, ...] = ()
    suppressed: tuple[str, ...] = ()
    passages: tuple[Passage, ...] = ()
    judge: str = ""


class Journal:
    """labels.jsonl: a line that says what the run is, then a line a label. A run that was cut short goes on from it."""

    def __init__(self, path: Path, run: Mapping[str, Any]) -> None:
        """`run`: what the labels depend on. BadInput where the file is of another run."""
        self.path = path
        header = json.dumps({"version": VERSION, **run})
        self.labels: dict[int, Label] = {}
        self._alone = Lock()
        # What was killed while it wrote its first line has nothing yet.
        if path.exists() and not header.startswith(path.read_text("utf-8")):
            self._read(json.loads(header))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(header + "\n", "utf-8")

    def add(self, label: Label) -> None:
        """From any thread."""
        with self._alone, self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(label), ensure_ascii=False) + "\n")
            self.labels[label.feature] = label

    def _read(self, header: dict[str, Any]) -> None:
        first, *lines = self.path.read_text("utf-8").split("\n")
        try:
            found = json.loads(first)
        except ValueError:
            found = None
        if found != header:
            differs = sorted(key for key in header if not isinstance(found, dict) or found.get(key) != header[key])
            raise BadInput(
                f"{self.path}: expected labels of this very run, found another {', '.join(differs) or 'kind of run'}; "
                "remove it, or name another folder"
            )
        whole = [line for line in lines[:-1] if line]
        for number, line in enumerate(whole, start=2):
            try:
                label = from_plain(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise BadInput(f"{self.path}: line {number}: expected a label: {error}") from error
            self.labels[label.feature] = label
        if lines and lines[-1]:
            # Cut short while it was written: that feature is named again.
            with self.path.open("r+b") as file:
                file.truncate(file.seek(0, 2) - len(lines[-1].encode("utf-8")))


def from_plain(stated: dict[str, Any]) -> Label:
    """A label from what `asdict` made of it."""
    lists = {name: tuple(stated[name]) for name in ("words", "promoted", "suppressed")}
    return Label(**{**stated, **lists, "passages": tuple(Passage(**passage) for passage in stated["passages"])})


def write_labels(path: Path, labels: Iterable[Label], sae: str) -> int:
    """The catalogue of one SAE's labels at `path`; how many are shown. Of two features of one name the one of better
    detection has it plain, the other with a number."""
    taken: set[str] = set()
    rows: dict[int, CatalogueRow] = {}
    for label in sorted(labels, key=lambda own: (-(own.detection or 0.0), own.feature)):
        named = replace(label, name=_free(label.name, taken) if label.name else None)
        rows[label.feature] = _row(named, sae)
    write_catalogue(path, [rows[feature] for feature in sorted(rows)])
    return sum(row.shown for row in rows.values())


def _row(label: Label, sae: str) -> CatalogueRow:
    identity = f"{sae}.{label.feature}"
    shown = (
        label.name is not None
        and (label.frequency is None or 0 < label.frequency <= MOST_FREQUENT)
        and (label.detection is None or label.detection >= LEAST_DETECTION)
    )
    card = FeatureCard(
        feature=identity,
        name=label.name or identity,
        provenance=f"{label.provenance}; scored by {label.judge}" if label.judge else label.provenance,
        sae=sae,
        frequency=label.frequency,
        max_activation=label.maximum,
        promoted=label.promoted,
        suppressed=label.suppressed,
        passages=label.passages,
        detection=label.detection,
    )
    return CatalogueRow(card, " ".join((*label.words, label.explanation)).strip(), shown)


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name} ({number})"
    taken.add(found)
    return found
