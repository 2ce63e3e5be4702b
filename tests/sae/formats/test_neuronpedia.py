"""Exports of Neuronpedia, written as its utilities write them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from undersong.errors import WeightsFormat, WeightsMissing
from undersong.sae.formats import neuronpedia


def export(root: Path, **kinds: list[list[Any]]) -> Path:
    """An export whose `kinds` have these batches of lines."""
    folder = root / "v1/gemma-2-2b/20-gemmascope-res-16k"
    for kind, batches in kinds.items():
        (folder / kind).mkdir(parents=True)
        for number, lines in enumerate(batches):
            with gzip.open(folder / kind / f"batch-{number}.jsonl.gz", "wt", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
    return folder


def test_features_labels_and_passages_are_read_in_the_order_of_their_batches(tmp_path: Path) -> None:
    feature = {"maxActApprox": 12.5, "frac_nonzero": 0.002, "pos_str": [" sea"], "pos_values": [1.5], "neg_str": [],
               "neg_values": [], "vector": []}  # fmt: skip
    label = {"description": " the sea ", "typeName": "oai_token-act-pair", "explanationModelName": "gpt-4o-mini"}
    passage = {"tokens": ["the", " sea"], "values": [0, 3.5], "maxValue": 3.5, "maxValueTokenIndex": 1}
    folder = export(
        tmp_path,
        features=[[{**feature, "index": "0"}], *([{"index": str(n)}] for n in range(1, 12))],
        explanations=[[{**label, "index": 7}]],
        activations=[[{**passage, "index": "7"}]],
    )
    assert neuronpedia.matches(folder) and neuronpedia.source_of(folder) == ("gemma-2-2b", "20-gemmascope-res-16k")
    found = list(neuronpedia.read_features(folder))
    assert [each.index for each in found] == list(range(12))
    assert found[0] == neuronpedia.ExportedFeature(0, 12.5, 0.002, ((" sea", 1.5),), ())
    assert found[1] == neuronpedia.ExportedFeature(1, None, None)
    assert list(neuronpedia.read_labels(folder)) == [
        neuronpedia.ExportedLabel(7, "the sea", "oai_token-act-pair", "gpt-4o-mini")
    ]
    assert list(neuronpedia.read_passages(folder)) == [neuronpedia.ExportedPassage(7, ("the", " sea"), (0.0, 3.5))]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"index": "x"}, r"batch-0.jsonl.gz:2: index: expected a whole number, found 'x'"),
        ({"index": 1, "maxActApprox": "much"}, "maxActApprox: expected a number, found 'much'"),
        ({"index": 1, "pos_str": ["a"], "pos_values": []}, "expected pos_str and as many pos_values, found 1 and 0"),
        ({"index": 1, "pos_str": ["a"], "pos_values": 3}, "as many pos_values, found 1 and int"),
        ({"index": 1, "pos_str": ["a"], "pos_values": ["b"]}, r"pos_values: expected numbers, found \['b'\]"),
        ([], "damaged after line 2: expected an object, found list"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: Any, message: str) -> None:
    folder = export(tmp_path, features=[[{"index": 0}, line]])
    with pytest.raises(WeightsFormat, match=message):
        list(neuronpedia.read_features(folder))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"tokens": ["a", "b"], "values": [1]}, "expected tokens and as many values, found 2 and 1"),
        ({"tokens": ["a"], "values": [None]}, r"values: expected numbers, found \[None\]"),
        ({"values": []}, "tokens: expected some, and as many values; found none"),
    ],
)
def test_a_passage_without_its_numbers_is_named(tmp_path: Path, line: Any, message: str) -> None:
    folder = export(tmp_path, activations=[[{"index": 0, **line}]])
    with pytest.raises(WeightsFormat, match=message):
        list(neuronpedia.read_passages(folder))


def test_a_batch_that_was_cut_short_is_named(tmp_path: Path) -> None:
    folder = export(tmp_path, features=[[{"index": n} for n in range(500)]])
    file = folder / "features/batch-0.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(WeightsFormat, match=r"batch-0.jsonl.gz: damaged after line"):
        list(neuronpedia.read_features(folder))


def test_a_kind_that_was_not_exported_is_missing(tmp_path: Path) -> None:
    folder = export(tmp_path, features=[[{"index": 0}]])
    with pytest.raises(WeightsMissing, match=r"expected explanations/batch-0.jsonl.gz in .*, found none"):
        list(neuronpedia.read_labels(folder))
