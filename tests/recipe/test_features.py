"""Which names are shown, and by which words they are found."""

from __future__ import annotations

import features
import pytest
from features import AUTOMATIC, READ, Given, _words, given_names, names_of
from manifest import read_saes

from undersong.engine.weights import find_default

SEA, LAW = Given("ships at sea", ("sail",)), Given("the law", ("judge",))
PLAIN = {"automatic": None, "all_words": [], "words": []}
NAMED = {"automatic": '"ship"', "all_words": ["ship"], "words": [["ship", 0.7]]}


@pytest.mark.parametrize(
    ("given", "judged", "lexical", "expected"),
    [
        # Half of a score decides, and a name that nobody judged does not hold.
        ({"p3.0": SEA}, {"p3.0": ("ships at sea", 0.65)}, {}, {"p3.0": ("ships at sea", 0.65, READ)}),
        ({"p3.0": SEA}, {"p3.0": ("ships at sea", 0.64)}, {}, {}),
        ({"p3.0": SEA}, {}, {}, {}),
        # The name was changed after it was judged.
        ({"p3.0": SEA}, {"p3.0": ("boats", 0.9)}, {}, {}),
        # Automatic names are of token features, and give way to a given one.
        ({}, {}, {"3.0": 0.8}, {"3.0": ('"ship"', 0.8, AUTOMATIC)}),
        ({}, {}, {"3.0": 0.6}, {}),
        ({}, {}, {}, {}),
        ({"3.0": LAW}, {"3.0": ("the law", 0.7)}, {"3.0": 0.9}, {"3.0": ("the law", 0.7, READ)}),
        ({"3.0": LAW}, {}, {"3.0": 0.9}, {}),
        # Of two features of one name the better scored one keeps it, in one SAE or in two.
        (
            {"p3.0": SEA, "p3.1": SEA},
            {"p3.0": ("ships at sea", 0.7), "p3.1": ("ships at sea", 0.8)},
            {},
            {"p3.1": ("ships at sea", 0.8, READ)},
        ),
        (
            {"p3.0": LAW, "3.0": LAW},
            {"p3.0": ("the law", 0.7), "3.0": ("the law", 0.9)},
            {},
            {"3.0": ("the law", 0.9, READ)},
        ),
        (
            {"p3.0": LAW, "3.0": LAW},
            {"p3.0": ("the law", 0.8), "3.0": ("the law", 0.8)},
            {},
            {"p3.0": ("the law", 0.8, READ)},
        ),
    ],
)
def test_a_name_is_shown_if_it_holds_and_once(given, judged, lexical, expected):
    found = names_of({"p3": [PLAIN, PLAIN], "3": [NAMED]}, given, judged, lexical)
    assert {f: (scored.given.name, scored.detection, scored.provenance) for f, scored in found.items()} == expected


def test_a_feature_is_found_by_the_words_given_and_its_own_eight_first():
    passage = {"words": ["mast", "deck"]}
    assert _words(passage, Given("ships at sea", ("sail", "mast"))) == ["sail", "mast", "deck"]
    token = {"words": [["judged", 0.5], *([f"w{n}", 0.1] for n in range(9))]}
    assert _words(token, Given('"judged, gun"', ())) == ["judged", *(f"w{n}" for n in range(7))]


@pytest.fixture
def saes(tmp_path):
    return {"p3": tmp_path}


def read(monkeypatch, tmp_path, text, saes):
    monkeypatch.setattr(features, "NAMES", tmp_path / "names.tsv")
    features.NAMES.write_text(text)
    return given_names(saes)


def test_names_are_read_with_the_words_to_find_them_by(monkeypatch, tmp_path, saes):
    found = read(monkeypatch, tmp_path, "p3.4\tships at sea\tsail mast\np3.5\tunsearched\t\n", saes)
    assert found == {"p3.4": Given("ships at sea", ("sail", "mast")), "p3.5": Given("unsearched", ())}


@pytest.mark.parametrize(
    "line",
    [
        "p3.4\tThe sea\tship",
        "p3.4\tthe  sea\tship",
        "p3.4\tab\tship",
        "p3.4\ta name that is longer than it may be\tship",
        "p3.4\tthe sea\tShip",
        "p3.0\tthe sea\tship",
    ],
)
def test_a_name_that_could_not_be_shown_is_refused_with_its_place(monkeypatch, tmp_path, saes, line):
    with pytest.raises(SystemExit, match=r"names\.tsv:3: expected"):
        read(monkeypatch, tmp_path, f"# names\np3.0\tfirst one\tword\n{line}\n", saes)


def test_the_names_of_the_repository_are_of_the_weights_that_are_shipped():
    assert len(given_names(read_saes(find_default()))) > 100
