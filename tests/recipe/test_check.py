"""`make weights-check`: what was stated must come out again, and what does not is named."""

from __future__ import annotations

import json
import math
import shutil

import check
import pytest
from check import compare, main
from estimates import Estimate

from figures import FULL, Budget, measure, numbers

from .small_corpus import write_corpus, write_shipped

SHORT = Budget(5, 8)


@pytest.mark.parametrize(
    ("figure", "stated", "found", "holds"),
    [
        ("bits_per_character", 1.5, Estimate(1.5005, 0.05), True),
        ("bits_per_character", 1.5, Estimate(1.51, 0.05), False),
        # Samples may part at a near tie on another machine.
        ("distinct_2", 0.9, Estimate(0.93, 0.01), True),
        ("distinct_2", 0.9, Estimate(0.96, 0.01), False),
        ("dead", 0.02, Estimate(0.0205, 0.01), True),
        ("dead", 0.02, Estimate(0.3, 0.01), False),
        # What is counted is exact but for the digits that are kept.
        ("named_features", 412, Estimate(412), True),
        ("named_features", 412, Estimate(411), False),
        ("steers_share", 0.333333, Estimate(1 / 3), True),
        ("L0", 32.0, Estimate(math.nan), False),
    ],
)
def test_a_figure_holds_within_its_limits(figure, stated, found, holds):
    [line] = compare({"3": {figure: stated}}, {"3": {figure: found}})
    assert line.holds is holds


def test_what_is_only_stated_or_only_measured_does_not_hold():
    found = compare({"": {"a": 1.0}, "3": {}}, {"": {}, "3": {"L0": Estimate(32.0)}})
    assert [(line.sae, line.figure, line.holds) for line in found] == [("", "a", False), ("3", "L0", False)]


def test_every_figure_that_is_computed_has_a_tolerance_and_no_other(weights, corpus):
    found = numbers(measure(weights, corpus, Budget(2, 4)))
    names = {*found["measured"], *(name for table in found["saes"].values() for name in table)}
    assert names - set(check.TOLERANCE) == {"parameters", "context"}
    assert set(check.TOLERANCE) <= names


# --- the command -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def measured(tmp_path_factory, corpus):
    """Tiny weights whose manifest states what the whole of the text gives, and the short figures what a part does."""
    place = tmp_path_factory.mktemp("measured")
    folder = write_shipped(place / "weights")
    found = numbers(measure(folder, corpus, FULL))
    restate(folder, lambda manifest: manifest.update(measured=found["measured"]))
    for number, name in enumerate(("1", "2", "p2")):
        restate(folder, lambda manifest, n=number, name=name: manifest["saes"][n].update(measured=found["saes"][name]))
    (place / "short_figures.json").write_text(json.dumps(numbers(measure(folder, corpus, SHORT))))
    return place


@pytest.fixture
def weights(tmp_path, measured, monkeypatch):
    """The same, to be spoilt."""
    shutil.copytree(measured, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(check, "SHORT", SHORT)
    monkeypatch.setattr(check, "SHORT_FIGURES", tmp_path / "short_figures.json")
    return tmp_path / "weights"


def restate(folder, change, name="manifest.json"):
    file = folder / name
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("form", [[], ["--short"]])
def test_weights_that_are_as_stated_pass(weights, corpus, form, capsys):
    assert main(["--corpus", str(corpus), "--folder", str(weights), *form]) == 0
    assert "figures hold" in capsys.readouterr().out


def test_a_figure_that_does_not_hold_is_named(weights, corpus, capsys):
    restate(weights, lambda manifest: manifest["measured"].update(bits_per_character=1.0))
    restate(weights, lambda manifest: manifest["saes"][1]["measured"].update(ce_score=0.99))
    assert main(["--corpus", str(corpus), "--folder", str(weights)]) == 1
    assert "does not hold: bits_per_character of the model, ce_score of 2" in capsys.readouterr().err


def test_the_short_form_is_as_strict_as_the_full_one_and_compares_with_its_own_figures(weights, corpus, capsys):
    restate(weights, lambda manifest: manifest["measured"].update(bits_per_character=1.0))
    assert main(["--corpus", str(corpus), "--folder", str(weights), "--short"]) == 0
    own = json.loads(check.SHORT_FIGURES.read_text())["measured"]["bits_per_character"]
    restate(
        weights.parent, lambda short: short["measured"].update(bits_per_character=own + 0.002), "short_figures.json"
    )
    assert main(["--corpus", str(corpus), "--folder", str(weights), "--short"]) == 1
    assert "does not hold: bits_per_character of the model\n" in capsys.readouterr().err


def test_without_short_figures_the_short_form_says_so(weights, corpus, capsys):
    check.SHORT_FIGURES.unlink()
    assert main(["--corpus", str(corpus), "--folder", str(weights), "--short"]) == 2
    assert "expected the short figures in" in capsys.readouterr().err


def test_a_changed_file_is_named(weights, corpus, capsys):
    (weights / "saes/2/cfg.json").write_text("{}")
    assert main(["--corpus", str(corpus), "--folder", str(weights)]) == 1
    assert "saes/2/cfg.json: expected SHA-256" in capsys.readouterr().err


def test_without_the_corpus_it_says_so(weights, tmp_path, capsys):
    assert main(["--corpus", str(tmp_path / "none"), "--folder", str(weights)]) == 2
    assert "expected the held-out books in" in capsys.readouterr().err
