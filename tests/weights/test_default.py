"""The weights that are shipped: whole, small enough, and with a catalogue a writer can use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from undersong.catalogue.store import Catalogue
from undersong.engine.calibration import LIMIT_NATS
from undersong.engine.weights import Manifest, SAEEntry, find_default, read_manifest, verify
from undersong.sae.load import load_sae

MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def folder() -> Path:
    return find_default()


@pytest.fixture(scope="module")
def described(folder: Path) -> Manifest:
    return read_manifest(folder)


@pytest.fixture(scope="module")
def catalogue(folder: Path, described: Manifest):
    assert described.catalogue is not None
    opened = Catalogue.open(folder / described.catalogue)
    yield opened
    opened.close()


def test_every_file_is_as_the_manifest_lists_it_and_nothing_is_unlisted(folder: Path, described: Manifest):
    verify(folder, described)
    present = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert present - {"manifest.json"} == set(described.files)


def test_no_file_is_over_45_megabytes_and_all_are_under_60(folder: Path):
    sizes = [file.stat().st_size for file in folder.parent.rglob("*") if file.is_file()]
    assert max(sizes) <= 45 * MEGABYTE
    assert sum(sizes) <= 60 * MEGABYTE


def test_both_grains_are_there_to_read(described: Manifest):
    assert {sae.grain for sae in described.saes if "read" in sae.roles} == {"token", "passage"}


# --- the SAEs and their reference ------------------------------------------------------------------------------


def entries() -> tuple[SAEEntry, ...]:
    return read_manifest(find_default()).saes


def loaded_entries() -> tuple[SAEEntry, ...]:
    """Those that the engine loads; the others are there to trace circuits through."""
    return tuple(entry for entry in entries() if entry.is_loaded)


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry.id)
def test_an_sae_is_of_the_grain_the_manifest_says_and_its_directions_have_unit_norm(folder: Path, entry: SAEEntry):
    sae = load_sae(folder / entry.path)
    assert (sae.id, sae.grain) == (entry.id, entry.grain)
    norms = sae.W_dec.float().norm(dim=1)
    # Stored in bfloat16.
    torch.testing.assert_close(norms, torch.ones_like(norms), atol=4e-3, rtol=0)


@pytest.mark.parametrize("entry", loaded_entries(), ids=lambda entry: entry.id)
def test_a_reference_resolves_the_upper_tail_of_every_feature(folder: Path, entry: SAEEntry):
    assert entry.reference is not None
    with safe_open(folder / entry.path / entry.reference, "pt") as file:
        levels = json.loads(file.metadata()["levels"])
        frequency, most, quantiles = (file.get_tensor(n) for n in ("frequency", "max", "presence_quantiles"))
        assert int(file.metadata()["paragraphs"]) >= 3000
    assert levels == sorted(levels)
    assert sum(level >= 0.99 for level in levels) >= 3 and levels[-1] == 1.0
    assert quantiles.shape == (load_sae(folder / entry.path).d_sae, len(levels))
    assert bool((quantiles.diff(dim=1) >= 0).all()) and bool((quantiles >= 0).all())
    assert bool(((frequency >= 0) & (frequency <= 1)).all()) and bool((most >= 0).all())


# --- the catalogue ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sadness", {"melodramatic anguish", "anguished outcry"}),
        ("grief", {"melodramatic anguish", "life's joys and sorrows"}),
        ("sea", {"boats, ships and shore"}),
        ("money", {"money and possessions", "money and business deals"}),
        ("letters", {"letters written and read", "heartfelt words, letters"}),
        ("whispering", {"tone of voice", "a low or broken voice"}),
        ("first person", {"first-person agitation"}),
        ("winter", {"the day's weather"}),
    ],
)
def test_plain_words_find_features(catalogue: Catalogue, query: str, expected: set[str]):
    assert expected <= {hit.name for hit in catalogue.search(query)}


def test_there_are_hundreds_of_features_to_choose_from_and_most_are_themes_or_registers(catalogue: Catalogue):
    passage = [feature for feature in catalogue.names() if feature.startswith("p3.")]
    assert len(passage) >= 300 and len(passage) > 0.9 * len(catalogue.names())


def test_what_has_a_name_can_be_read_or_steered(catalogue: Catalogue):
    loaded = {entry.id for entry in loaded_entries()}
    assert {feature.rpartition(".")[0] for feature in catalogue.names()} <= loaded


def test_names_fit_in_a_hint(catalogue: Catalogue):
    names = list(catalogue.names().values())
    assert len(set(names)) == len(names)
    assert [name for name in names if len(name) > 24 or name != name.lower() or not name.strip()] == []


def test_the_card_of_every_shown_feature_is_complete(catalogue: Catalogue):
    for feature, name in catalogue.names().items():
        card = catalogue.card(feature)
        assert card is not None and card.name == name and card.provenance and card.promoted, feature
        assert card.frequency is not None and card.max_activation is not None and card.max_activation > 0, feature
        assert len(card.passages) >= 3, feature
        assert all(passage.token and passage.source for passage in card.passages), feature
        activations = [passage.activation for passage in card.passages]
        assert activations == sorted(activations, reverse=True), feature
        assert card.detection is not None and card.detection >= 0.65, feature
        assert card.dose is not None and 0 < card.dose.kl_p95 <= LIMIT_NATS, feature
        assert card.output_score is not None and card.outcome is not None and card.steers is not None, feature


def test_every_feature_of_the_saes_that_are_read_has_a_card(catalogue: Catalogue, folder: Path):
    for entry in entries():
        if "read" in entry.roles:
            d_sae = load_sae(folder / entry.path).d_sae
            assert catalogue.card(f"{entry.id}.0") is not None and catalogue.card(f"{entry.id}.{d_sae - 1}") is not None
