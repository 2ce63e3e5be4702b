"""Neuronpedia's exports: `v1/{model}/{source}/{features,explanations,activations}/batch-N.jsonl.gz`.

Read as streams, one line at a time: a source has tens of thousands of features and many activations of each. Lines
hold more than is kept here (schema.prisma of neuronpedia's webapp). `source` is a layer and a set, such as
`20-gemmascope-res-16k`: which SAE the features are of.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from undersong.errors import WeightsFormat, WeightsMissing
from undersong.sae.formats.naming import files_of

EXPECTS = "features/, explanations/ or activations/ with batch-{n}.jsonl.gz"
_KINDS = ("features", "explanations", "activations")
_BATCH = r"batch-\d+\.jsonl(\.gz)?"


@dataclass(frozen=True, slots=True)
class ExportedFeature:
    """`largest`: the largest activation seen; `frequency`: on what share of tokens it is active.

    `promotes` and `suppresses`: the words whose logits its direction raises and lowers most, and by how much.
    """

    index: int
    largest: float | None
    frequency: float | None
    promotes: tuple[tuple[str, float], ...] = ()
    suppresses: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ExportedLabel:
    """A description of a feature; `method` and `model` say how and by what it was made, where that is stated."""

    index: int
    text: str
    method: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ExportedPassage:
    """Tokens as text, and the feature's activation on each."""

    index: int
    tokens: tuple[str, ...]
    values: tuple[float, ...]


def matches(path: Path) -> bool:
    return path.is_dir() and any(files_of(path / kind, _BATCH) for kind in _KINDS)


def source_of(path: Path) -> tuple[str, str]:
    """(model, source) from the folder's name and the one above it."""
    whole = path.absolute()
    return whole.parent.name, whole.name


def read_features(path: Path) -> Iterator[ExportedFeature]:
    """WeightsMissing where the export has none; WeightsFormat with the file and line that cannot be read."""
    for where, line in _lines(path, "features"):
        yield ExportedFeature(
            _index(where, line),
            _number(where, line, "maxActApprox"),
            _number(where, line, "frac_nonzero"),
            _pairs(where, line, "pos_str", "pos_values"),
            _pairs(where, line, "neg_str", "neg_values"),
        )


def read_labels(path: Path) -> Iterator[ExportedLabel]:
    """As `read_features`."""
    for where, line in _lines(path, "explanations"):
        text = line.get("description")
        if not isinstance(text, str):
            raise WeightsFormat(f"{where}: description: expected text, found {text!r}")
        yield ExportedLabel(_index(where, line), text.strip(), line.get("typeName"), line.get("explanationModelName"))


def read_passages(path: Path) -> Iterator[ExportedPassage]:
    """As `read_features`."""
    for where, line in _lines(path, "activations"):
        pairs = _pairs(where, line, "tokens", "values")
        if not pairs:
            raise WeightsFormat(f"{where}: tokens: expected some, and as many values; found none")
        yield ExportedPassage(
            _index(where, line), tuple(token for token, _ in pairs), tuple(value for _, value in pairs)
        )


def _lines(path: Path, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file and line for messages, the object on it)."""
    batches = files_of(path / kind, _BATCH)
    if not batches:
        raise WeightsMissing(f"Neuronpedia export: expected {kind}/batch-0.jsonl.gz in {path}, found none")
    for batch in batches:
        number = 0
        try:
            with gzip.open(batch, "rt", encoding="utf-8") if batch.suffix == ".gz" else batch.open() as lines:
                for number, text in enumerate(lines, start=1):
                    if text.strip():
                        yield f"Neuronpedia export: {batch}:{number}", _object(json.loads(text))
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise WeightsFormat(f"Neuronpedia export: {batch}: damaged after line {number}: {error}") from error


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"expected an object, found {type(value).__name__}")
    return value


def _index(where: str, line: dict[str, Any]) -> int:
    value = line.get("index")
    # Their database keeps it as text.
    if isinstance(value, bool) or not str(value).isdecimal():
        raise WeightsFormat(f"{where}: index: expected a whole number, found {value!r}")
    return int(str(value))


def _number(where: str, line: dict[str, Any], key: str) -> float | None:
    value = line.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise WeightsFormat(f"{where}: {key}: expected a number, found {value!r}")
    return None if value is None else float(value)


def _pairs(where: str, line: dict[str, Any], words: str, numbers: str) -> tuple[tuple[str, float], ...]:
    """Each of the list `words` with the number beside it in the list `numbers`; none where neither is stated."""
    found, by = line.get(words) or [], line.get(numbers) or []
    if not isinstance(found, list) or not isinstance(by, list) or len(found) != len(by):
        raise WeightsFormat(f"{where}: expected {words} and as many {numbers}, found {_size(found)} and {_size(by)}")
    try:
        return tuple((str(word), float(number)) for word, number in zip(found, by, strict=True))
    except (TypeError, ValueError) as error:
        raise WeightsFormat(f"{where}: {numbers}: expected numbers, found {by!r:.80}") from error


def _size(value: object) -> str:
    return str(len(value)) if isinstance(value, list) else type(value).__name__
