"""The whole recipe on a tiny corpus, with the answers of somebody who knows them, and again over what it left."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import candidates
import collect
import describe
import detection
import doses
import effect
import features
import keyness
import make
import passages
import pytest
import steering_directions
import temporal
import token_saes
import torch
import train_language_model
from benchmarks.steering.texts import desk, load_weights, unsteered
from corpus import read_training_books
from describe import load_evidence
from feature_tables import bind
from language_model import Shape
from learner import Plan
from make import STEPS, Making
from manifest import kept_figures, read_saes

import figures
from figures import Budget
from undersong.catalogue.doses import Doses
from undersong.catalogue.store import Catalogue
from undersong.engine.directions import load_directions
from undersong.engine.openings import OPENINGS
from undersong.engine.weights import read_manifest, verify
from undersong.sae.load import load_sae

from .tiny_corpus import THEMES, write_corpus

SHAPE = {"vocab_size": 400, "d_model": 32, "n_layers": 6, "n_heads": 2, "d_mlp": 48, "context": 128}
ONCE = list(STEPS)[: list(STEPS).index("manifest")]
EACH_TIME = list(STEPS)[len(ONCE) :]


def measure_here(out: Path, names: list[str], work: Path) -> None:
    """As doses.measure_features, in this process, after two openings, and only the first two features of each SAE."""
    known = doses.load_measured(out, work)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSONG_CACHE_DIR", str(work / "cache"))
        patch.setattr(doses, "SAMPLES", 2)
        patch.setattr(doses, "N_TOKENS", 6)
        place = desk(load_weights(out), Doses.open(work / "doses.sqlite"), OPENINGS[:2])
        base = unsteered(place, 2, 6)
        for sae in read_saes(out):
            missing = [name for name in names if name.startswith(f"{sae}.") and name not in known][:2]
            if missing:
                doses._append(doses.measure(place, missing, base), out, work)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    for module, values in {
        make: {
            "VOCABULARY": 400,
            "CONTEXT": 128,
            "READ_TOKENS": 30_000,
            "TRACE_TOKENS": 30_000,
            "FULL": Budget(6, 4),
            "SHORT": Budget(3, 2),
        },
        doses: {"measure_features": measure_here},
        train_language_model: {"BATCH_TOKENS": 512, "SHORT": 64, "CHECK_ROWS": 8},
        collect: {"WINDOW": 128, "SEGMENTS": 3, "N_WINDOWS": 400, "N_REFERENCE": 60, "N_CHECK": 60},
        token_saes: {"LENGTH": 128, "BUFFER_ROWS": 16, "BATCH": 256, "PLAN": Plan(64, 4, "batchtopk", 20_000)},
        passages: {"PLAN": Plan(32, 3, "topk", 5_000), "EPOCHS": 40, "BATCH": 64},
        describe: {"N_EVIDENCE": 40},
        effect: {"LENGTH": 32},
        keyness: {"MIN_PASSAGES": 5},
    }.items():
        for name, value in values.items():
            patch.setattr(module, name, value)
    patch.setattr(train_language_model, "Shape", lambda vocab_size: Shape(**SHAPE | {"vocab_size": vocab_size}))
    patch.setattr(torch, "compile", lambda module: module)
    corpus, out, work, names = (tmp_path_factory.mktemp(name) for name in ("corpus", "out", "work", "names"))
    write_corpus(corpus)
    (names / "names.tsv").write_text("# feature, name, words\np3.0\tfirst theme\tsea ship\n3.1\tsecond theme\tlaw\n")
    patch.setattr(features, "NAMES", names / "names.tsv")
    patch.setattr(detection, "SCORES", names / "detection.tsv")
    patch.setattr(figures, "SHORT_FIGURES", names / "short_figures.json")
    making = Making(corpus, out, work, 100_000, torch.device("cpu"))
    with torch.no_grad():
        for name in ONCE:
            STEPS[name](making)
        yield making
    patch.undo()


@pytest.fixture(scope="module")
def finished(made):
    """With names and answers, as people leave them in between."""
    quizzes = made.work / "quizzes"
    key = json.loads((quizzes / "key.json").read_text())
    right = {name: " ".join(str(n) for n, fits in enumerate(one["fits"], 1) if fits) for name, one in key.items()}
    (quizzes / "answers_1.tsv").write_text("".join(f"{name}\t{numbers}\n" for name, numbers in right.items()))
    bind(features.NAMES, read_saes(made.out))
    detection.main([str(made.work)])
    for name in EACH_TIME:
        STEPS[name](made)
    return made


def test_books_of_the_united_states_only_are_left_out(made):
    titles = [book.title for book in read_training_books(made.corpus)]
    assert titles == ["core 0", "core 1", "core 2", "more 0"]


def test_every_layer_has_its_sae_and_there_is_a_passage_dictionary(made):
    for layer in range(6):
        sae = load_sae(made.out / f"saes/blocks.{layer}.hook_resid_post")
        assert (sae.hook_layer, sae.grain, sae.config.architecture) == (layer, "token", "jumprelu")
    assert load_sae(made.out / "saes/blocks.3.passage_resid_post").grain == "passage"


def test_some_passage_features_are_known_by_the_words_of_one_theme(made):
    of_one = 0
    for one in load_evidence(made.work, "p3"):
        own = set(one["words"][:4])
        of_one += any(len(own & set(words)) >= 3 for words in THEMES.values())
    assert of_one >= 4


def test_names_are_asked_about_without_their_answers(made):
    shown = "".join(file.read_text() for file in (made.work / "quizzes").glob("quiz_*.txt"))
    assert "## p3.0\tfirst theme\n1. " in shown
    assert (made.work / "quizzes/key.json").exists()


def test_what_is_there_is_not_made_again(made):
    def times():
        files = [file for folder in (made.out, made.work) for file in folder.rglob("*") if file.is_file()]
        return {file: file.stat().st_mtime_ns for file in files}

    before = times()
    again = Making(made.corpus, made.out, made.work, made.tokens, made.device)
    for name in ONCE:
        STEPS[name](again)
    assert times() == before


def test_no_checkpoint_is_left_that_an_sae_whose_folder_is_removed_would_come_back_from(made):
    assert not list(made.work.glob("token_saes_*"))


def test_candidates_of_every_kind_are_trained_beside_the_default_and_leave_it_alone(made, monkeypatch):
    for module, values in {
        token_saes: {"D_SAE": 64, "K": 4},
        temporal: {"LENGTH": 128, "BUFFER_ROWS": 16, "BATCH": 256, "PLAN": Plan(64, 4, "topk", 20_000)},
        steering_directions: {"WINDOW": 96, "BATCH_ROWS": 8},
    }.items():
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)
    before = {file: file.stat().st_mtime_ns for file in made.out.rglob("*")}
    out = made.work / "candidates"
    out.mkdir()
    with torch.no_grad():
        for kind, layer in (("passages", 4), ("tokens", 3), ("temporal", 3), ("directions", 3)):
            candidates.KINDS[kind](replace(made, tokens=20_000), layer, out)
    found = {path.parent.relative_to(out).as_posix(): load_sae(path.parent) for path in out.rglob("cfg.json")}
    assert {name: (sae.hook_layer, sae.config.architecture) for name, sae in found.items()} == {
        "blocks.4.passage_resid_post": (4, "topk"),
        "topk/blocks.3.hook_resid_post": (3, "topk"),
        "batchtopk/blocks.3.hook_resid_post": (3, "jumprelu"),
        "blocks.3.temporal_resid_post": (3, "topk"),
    }
    directions = load_directions(out / "steering.safetensors", load_sae(made.out / "saes/blocks.3.passage_resid_post"))
    assert directions.shape == (32, 32)
    assert {file: file.stat().st_mtime_ns for file in made.out.rglob("*")} == before


# --- the steps that are run each time --------------------------------------------------------------------------


def test_the_engine_loads_what_was_made_and_the_manifest_states_what_was_measured(finished):
    verify(finished.out, read_manifest(finished.out))
    loaded = load_weights(finished.out)
    assert loaded.names["p3.0"] == "first theme" and set(loaded.dictionaries) == {"p3", "3"}
    manifest = read_manifest(finished.out)
    assert manifest.measured["named_features"] == len(loaded.names) and manifest.measured["bits_per_character"] > 0
    assert {entry.id: "explained_variance" in entry.measured for entry in manifest.saes} == dict.fromkeys(
        ("p3", "0", "1", "2", "3", "4", "5"), True
    )
    short = json.loads(figures.SHORT_FIGURES.read_text())
    assert set(short["measured"]) == set(manifest.measured) and set(short["saes"]) == {e.id for e in manifest.saes}


def test_every_feature_has_a_card_and_one_that_was_judged_has_a_name_a_score_and_a_dose(finished):
    catalogue = Catalogue.open(finished.out / "catalogue.sqlite")
    card, unnamed = catalogue.card("p3.0"), catalogue.card("p3.31")
    assert card is not None and unnamed is not None and catalogue.card("3.63") is not None
    assert (card.name, card.detection, card.provenance) == ("first theme", 1.0, features.READ)
    assert card.dose is not None and card.outcome is not None and card.steers is not None and card.passages
    assert (unnamed.name, unnamed.dose, unnamed.steers) == ("p3.31", None, None)
    assert "p3.0" in {hit.feature for hit in catalogue.search("ship")}
    catalogue.close()


def test_a_catalogue_made_again_is_listed_and_the_figures_of_what_has_not_changed_are_kept(finished):
    before = read_manifest(finished.out)
    names = features.NAMES.read_text()
    features.NAMES.write_text(names.replace("first theme", "another name"))
    STEPS["catalogue"](finished)
    after = read_manifest(finished.out)
    verify(finished.out, after)
    counted = {"named_features", "named_features_read", "passage_share", "median_detection"}
    counted |= {"steers_measured", "steers_share", "presence_rose_share"}
    assert after.saes == before.saes
    for name in before.measured.keys() - counted:
        assert after.measured[name] == before.measured[name], name
    assert after.measured["named_features"] == before.measured["named_features"] - 1
    assert after.files["catalogue.sqlite"] != before.files["catalogue.sqlite"]
    features.NAMES.write_text(names)
    STEPS["catalogue"](finished)


def test_no_figure_is_kept_of_weights_that_have_changed(finished, tmp_path):
    shutil.copytree(finished.out, tmp_path, dirs_exist_ok=True)
    assert kept_figures(tmp_path) == read_manifest(finished.out).measured
    (tmp_path / "catalogue.sqlite").write_bytes(b"another")
    assert kept_figures(tmp_path) == read_manifest(finished.out).measured
    (tmp_path / "saes/blocks.2.hook_resid_post/sae_weights.safetensors").write_bytes(b"another")
    assert kept_figures(tmp_path) == {}
