"""Labels from a Neuronpedia export (undersong.sae.formats.neuronpedia reads it).

Only explanations must be there. Whether an export belongs to an SAE is for its user to know: it says so nowhere but in
its path.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from undersong.errors import WeightsMissing
from undersong.sae.formats.neuronpedia import (
    ExportedFeature,
    ExportedLabel,
    ExportedPassage,
    read_features,
    read_labels,
    read_passages,
)
from undersong.sae.labelling.explaining import catalogue_name
from undersong.sae.labelling.labels import Label
from undersong.wire import Passage

PASSAGES = 5
CHARACTERS = 76
"""On either side of the strongest token."""
WORDS = 10
SOURCE = "Neuronpedia"
T = TypeVar("T")
_SIGNS = {"▁": " ", "Ġ": " ", "Ċ": "\n"}


def read_export(folder: Path) -> list[Label]:
    """A label for each feature that has an explanation: its first. WeightsMissing or WeightsFormat."""
    described: dict[int, ExportedLabel] = {}
    for label in read_labels(folder):
        described.setdefault(label.index, label)
    figures = {feature.index: feature for feature in _or_none(lambda: list(read_features(folder)))}
    passages: dict[int, list[tuple[float, int, Passage]]] = defaultdict(list)
    for number, own in enumerate(_or_none(lambda: read_passages(folder))):
        if own.index in described and own.tokens:
            kept = passages[own.index]
            heapq.heappush(kept, (max(own.values), -number, passage(own)))
            if len(kept) > PASSAGES:
                heapq.heappop(kept)
    return [
        _label(described[index], figures.get(index), [found for *_, found in sorted(passages[index], reverse=True)])
        for index in sorted(described)
    ]


def passage(own: ExportedPassage) -> Passage:
    """Around the strongest token."""
    at = max(range(len(own.values)), key=lambda n: own.values[n])
    before, after = "".join(map(_plain, own.tokens[:at])), "".join(map(_plain, own.tokens[at + 1 :]))
    return Passage(
        before.replace("\n", " ")[-CHARACTERS:],
        _plain(own.tokens[at]),
        after.replace("\n", " ")[:CHARACTERS],
        own.values[at],
        SOURCE,
    )


def _label(said: ExportedLabel, figures: ExportedFeature | None, passages: list[Passage]) -> Label:
    by = " ".join(part for part in (said.method, said.model) if part)
    largest = figures.largest if figures and figures.largest is not None else None
    return Label(
        feature=said.index,
        name=catalogue_name(said.text),
        explanation=said.text,
        provenance=f"{SOURCE}: {by}" if by else SOURCE,
        frequency=figures.frequency if figures else None,
        maximum=largest if largest is not None or not passages else passages[0].activation,
        promoted=tuple(_plain(word).strip() for word, _ in figures.promotes[:WORDS]) if figures else (),
        suppressed=tuple(_plain(word).strip() for word, _ in figures.suppresses[:WORDS]) if figures else (),
        passages=tuple(passages),
    )


def _or_none(read: Callable[[], Iterable[T]]) -> Iterator[T]:
    """What `read` gives; nothing where the export has none."""
    try:
        yield from read()
    except WeightsMissing:
        return


def _plain(token: str) -> str:
    for sign, meaning in _SIGNS.items():
        token = token.replace(sign, meaning)
    return token
