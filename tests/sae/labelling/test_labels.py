from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from undersong.catalogue.store import Catalogue
from undersong.errors import BadInput, WeightsFormat, WeightsMissing
from undersong.sae.labelling.labels import Journal, Label, write_labels
from undersong.sae.labelling.neuronpedia import read_export
from undersong.wire import Passage

SEA = Label(
    3, "the sea", "Ships and water", "stub: its strongest passages", ("sea", "ship"), 0.9, 0.8, 0.01, 4.5,
    ("ship",), ("land",), (Passage("the ", "sea", " rose", 4.5, "book"),), "small",
)  # fmt: skip


def test_a_run_goes_on_where_it_was_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "out/labels.jsonl"
    journal = Journal(file, {"sae": "a"})
    journal.add(SEA)
    journal.add(Label(4, None, "", "unnamed"))
    # Killed in the middle of a line.
    file.write_text(file.read_text()[:-10])
    again = Journal(file, {"sae": "a"})
    assert again.labels == {3: SEA}
    again.add(Label(5, "x", "", "p"))
    assert Journal(file, {"sae": "a"}).labels.keys() == {3, 5}


@pytest.mark.parametrize("written", ["", '{"version": 1, "s', '{"version": 1, "sae": "a"}'])
def test_a_run_that_was_killed_in_its_first_line_begins_anew(tmp_path: Path, written: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(written)
    Journal(file, {"sae": "a"}).add(SEA)
    assert Journal(file, {"sae": "a"}).labels == {3: SEA}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 1, "sae": "b"}\n', "found another sae;"),
        ('{"version": 1, "sae": "a"}\n{"feature": 1}\n', "line 2: expected a label"),
        ('{"version": 1, "sae": "a"}\nnothing\n', "line 2: expected a label"),
        ("notes\n", "found another sae, version;"),
    ],
)
def test_a_journal_of_another_run_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels.jsonl").write_text(text)
    with pytest.raises(BadInput, match=message):
        Journal(tmp_path / "labels.jsonl", {"sae": "a"})


def test_labels_become_a_catalogue(tmp_path: Path) -> None:
    labels = [
        Label(0, "the sea", "", "keyness", detection=0.7),
        SEA,
        Label(7, "guesses", "", "keyness", detection=0.5),
        Label(8, "everywhere", "", "keyness", frequency=0.5),
        Label(9, None, "", "unnamed"),
    ]
    assert write_labels(tmp_path / "c.sqlite", labels, "2") == 2
    catalogue = Catalogue.open(tmp_path / "c.sqlite")
    assert catalogue.names() == {"2.0": "the sea (2)", "2.3": "the sea"}
    card = catalogue.card("2.3")
    assert card is not None
    assert (card.detection, card.frequency, card.max_activation, card.sae) == (0.9, 0.01, 4.5, "2")
    assert (card.promoted, card.suppressed, card.passages) == (("ship",), ("land",), SEA.passages)
    assert card.provenance == "stub: its strongest passages; scored by small"
    assert [hit.feature for hit in catalogue.search("ships")] == ["2.3"]
    unnamed = catalogue.card("2.9")
    assert unnamed is not None and unnamed.name == "2.9"
    catalogue.close()


def write_export(folder: Path, packed: bool = True, **rows: list[dict[str, Any]]) -> Path:
    for name, lines in rows.items():
        (folder / name).mkdir(parents=True)
        text = "\n".join(json.dumps(line) for line in lines) + "\n"
        if packed:
            (folder / name / "batch-0.jsonl.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name / "batch-0.jsonl").write_text(text)
    return folder


EXPLANATIONS = [
    {
        "index": "3",
        "description": "Words about the Sea.",
        "typeName": "oai_token-act-pair",
        "explanationModelName": "x-1",
    },
    {"index": "3", "description": "another", "typeName": "t", "explanationModelName": "m"},
    {"index": 5, "description": "", "typeName": None},
]
FEATURES = [
    {
        "index": "3",
        "maxActApprox": 7.5,
        "frac_nonzero": 0.002,
        "pos_str": ["▁sea", "Ġship"],
        "pos_values": [2, 1],
        "neg_str": ["a"],
        "neg_values": [-1],
    }
]
ACTIVATIONS = [
    {"index": "3", "tokens": ["▁the", "▁sea", "▁rose", "\n"], "values": [0, 2.0, 0.5, 0], "maxValue": 2.0},
    {"index": "3", "tokens": ["sea", " air"], "values": [3.0, 0.0], "maxValue": 3.0},
]


@pytest.mark.parametrize("packed", [True, False])
def test_labels_come_from_a_neuronpedia_export(tmp_path: Path, packed: bool) -> None:
    folder = write_export(tmp_path, packed, explanations=EXPLANATIONS, features=FEATURES, activations=ACTIVATIONS)
    sea, empty = read_export(folder)
    assert (sea.feature, sea.name, sea.explanation) == (3, "words about the sea", "Words about the Sea.")
    assert sea.provenance == "Neuronpedia: oai_token-act-pair x-1"
    assert (sea.maximum, sea.frequency, sea.promoted, sea.suppressed) == (7.5, 0.002, ("sea", "ship"), ("a",))
    assert sea.passages == (
        Passage("", "sea", " air", 3.0, "Neuronpedia"),
        Passage(" the", " sea", " rose ", 2.0, "Neuronpedia"),
    )
    assert empty.name is None and empty.provenance == "Neuronpedia" and empty.detection is None
    write_labels(tmp_path / "c.sqlite", [sea, empty], "20")


def test_an_export_with_explanations_only_is_enough(tmp_path: Path) -> None:
    assert [label.feature for label in read_export(write_export(tmp_path, explanations=EXPLANATIONS))] == [3, 5]


def test_what_is_no_export_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"expected explanations/batch-0\.jsonl"):
        read_export(tmp_path)
    write_export(tmp_path, False, explanations=EXPLANATIONS, activations=[{"index": 3, "tokens": ["a"]}])
    with pytest.raises(WeightsFormat, match="expected tokens and as many values"):
        read_export(tmp_path)
