"""What is added for a feature: the decoder's row, or the steering direction that came with the SAE."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

from tests.engine.conftest import play
from tests.support.tiny_models import D_MODEL, TinyWeights, write_weights
from undersong.catalogue.build import CatalogueRow, write_catalogue
from undersong.engine.calibration import calibrate
from undersong.engine.directions import STEERING
from undersong.engine.loading import Dictionary, Loaded, load
from undersong.engine.steering import interventions, turned
from undersong.errors import BadStrength, WeightsFormat
from undersong.wire import Dial, FeatureCard

D_SAE = 64
SILENT = 5
"""The feature whose steering direction is a row of zeros."""


def steering_rows(seed: int = 9) -> torch.Tensor:
    rows = normalize(torch.randn(D_SAE, D_MODEL, generator=torch.Generator().manual_seed(seed)), dim=1)
    rows[SILENT] = 0
    return rows


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> TinyWeights:
    """A passage dictionary with steering directions, and a token SAE without."""
    weights = write_weights(tmp_path_factory.mktemp("own"))
    save_file({"directions": steering_rows()}, weights.saes["p2"] / STEERING)
    return weights


def loaded_from(weights: TinyWeights, cache: Path) -> Loaded:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNDERSONG_CACHE_DIR", str(cache))
        saes = tuple(str(weights.saes[name]) for name in ("2", "p2"))
        (*_, last) = load(str(weights.model), saes, "cpu", lambda *said: None)
    assert last is not None
    return last


@pytest.fixture(scope="module")
def steered(own, tmp_path_factory) -> Loaded:
    return loaded_from(own, tmp_path_factory.mktemp("cache"))


def test_a_dictionary_adds_its_steering_directions_where_it_has_them_else_the_rows_of_its_decoder(steered):
    passage, token = steered.dictionaries["p2"], steered.dictionaries["2"]
    for indices in ([3, 7], torch.tensor([3, 7])):
        assert torch.equal(passage.directions(indices), steering_rows()[[3, 7]])
        assert torch.equal(token.directions(indices), token.sae.W_dec[[3, 7]])


def direction_of(loaded: Loaded, dial: Dial) -> torch.Tensor:
    """What the intervention of one dial moves the stream along."""
    (made,) = interventions([turned(loaded, dial)], torch.tensor([[1.0]]), torch.ones(1))
    return made.directions[0]


@pytest.mark.parametrize("operation", ["floor", "clamp", "add"])
def test_a_feature_is_raised_along_its_steering_direction(steered, operation):
    assert torch.equal(direction_of(steered, Dial("p2.3", 0.5, operation)), steering_rows()[3])


@pytest.mark.parametrize("dial", [Dial("2.3", -0.5), Dial("2.3", 1.0, "ablate")])
def test_what_is_ablated_is_what_the_sae_reads(steered, dial):
    token = steered.dictionaries["2"]
    directed = replace(token, steering=torch.roll(token.sae.W_dec, 1, 0))
    loaded = replace(steered, dictionaries={**steered.dictionaries, "2": directed})
    assert torch.equal(direction_of(loaded, dial), token.sae.W_dec[3])


@pytest.mark.parametrize("dial", [Dial("p2.3", -0.5), Dial("p2.3", 1.0, "ablate")])
def test_less_of_a_passage_feature_lies_along_its_steering_direction(steered, dial):
    assert torch.equal(direction_of(steered, dial), steering_rows()[3])


def test_a_feature_without_a_direction_cannot_be_raised_and_costs_nothing_below_zero(steered):
    with pytest.raises(BadStrength, match=f"“p2.{SILENT}” cannot be raised: its direction has no length"):
        turned(steered, Dial(f"p2.{SILENT}", 0.5))
    for strength in (0.0, -0.5):
        assert turned(steered, Dial(f"p2.{SILENT}", strength)).doses(strength) == 0


def test_a_dose_is_calibrated_along_the_steering_direction(steered):
    """Halved directions need twice the activation for the same step in the stream."""
    passage = steered.dictionaries["p2"]
    halved = Dictionary(passage.sae, passage.roles, passage.reference, passage.shown, steering_rows() / 2)
    whole, half = (play(calibrate(steered, one, 3)) for one in (passage, halved))
    assert half.activation == pytest.approx(2 * whole.activation)
    assert (half.norm, half.kl_p95) == (pytest.approx(whole.norm), pytest.approx(whole.kl_p95, rel=1e-3))
    along_the_decoder = play(
        calibrate(steered, Dictionary(passage.sae, passage.roles, passage.reference, passage.shown), 3)
    )
    assert along_the_decoder.kl_p95 != pytest.approx(whole.kl_p95, rel=1e-3)


def test_reading_does_not_know_of_steering_directions(own, steered, tmp_path):
    without = TinyWeights(own.model, {**own.saes, "p2": shutil.copytree(own.saes["p2"], tmp_path / "p2")})
    (without.saes["p2"] / STEERING).unlink()
    plain = loaded_from(without, tmp_path / "cache").dictionaries["p2"]
    assert plain.steering is None
    assert torch.equal(plain.reference.quantiles, steered.dictionaries["p2"].reference.quantiles)
    assert plain.sae.W_dec.equal(steered.dictionaries["p2"].sae.W_dec)


# --- files that are not as they should be ------------------------------------------------------------------------


def long_row(rows: torch.Tensor) -> torch.Tensor:
    rows[2] *= 1.05
    return rows


def broken_row(rows: torch.Tensor) -> torch.Tensor:
    rows[2, 0] = torch.inf
    return rows


REFUSED = {
    "another width": (
        {"directions": steering_rows()[:, 1:]},
        r"directions: expected shape \(64, 32\), found \(64, 31\)",
    ),
    "another number": ({"directions": steering_rows()[1:]}, r"directions: expected shape \(64, 32\), found \(63, 32\)"),
    "another name": ({"rows": steering_rows()}, "expected tensors directions; found rows"),
    "a row of another length": (
        {"directions": long_row(steering_rows())},
        r"expected rows of norm 1 \(within 0.01\) or 0, found 1.05 in row 2",
    ),
    "a number that is none": ({"directions": broken_row(steering_rows())}, "expected finite numbers"),
    "whole numbers": ({"directions": steering_rows().long()}, "expected floating-point numbers, found torch.int64"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_steering_directions_are_refused_with_what_was_expected_and_found(own, tmp_path, case):
    tensors, says = REFUSED[case]
    spoilt = TinyWeights(own.model, {**own.saes, "p2": shutil.copytree(own.saes["p2"], tmp_path / "p2")})
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, spoilt.saes["p2"] / STEERING)
    with pytest.raises(WeightsFormat, match=says) as caught:
        loaded_from(spoilt, tmp_path / "cache")
    assert STEERING in caught.value.message


def test_steering_directions_may_be_kept_in_bfloat16(own, tmp_path):
    half = TinyWeights(own.model, {**own.saes, "p2": shutil.copytree(own.saes["p2"], tmp_path / "p2")})
    save_file({"directions": steering_rows().bfloat16()}, half.saes["p2"] / STEERING)
    found = loaded_from(half, tmp_path / "cache").dictionaries["p2"].steering
    assert found is not None and found.dtype == torch.float32
    torch.testing.assert_close(found, steering_rows(), atol=4e-3, rtol=0)


# --- a folder with a manifest --------------------------------------------------------------------------------------


def card(feature: str, name: str, steers: bool | None) -> CatalogueRow:
    sae = feature.partition(".")[0]
    return CatalogueRow(FeatureCard(feature, name, "by hand", sae, 0.1, 1.0, (), (), (), steers=steers), "", True)


@pytest.fixture
def described(own, tmp_path, monkeypatch) -> Path:
    """The weights as a default: "2" is there to trace, "1" to read, "p2" to read and to be steered with."""
    folder = tmp_path / "default"
    shutil.copytree(own.model, folder / "model")
    roles = {"1": ["read"], "2": ["trace"], "p2": ["read", "steer"]}
    for name in roles:
        shutil.copytree(own.saes[name], folder / "saes" / name)
    (folder / "saes/2/sae_weights.safetensors").write_bytes(b"not to be opened")
    rows = [
        card("1.0", "gray", True),
        card("p2.0", "grief", True),
        card("p2.1", "joy", False),
        card("p2.2", "awe", None),
    ]
    write_catalogue(folder / "catalogue.sqlite", rows)
    saes = [
        {
            "path": f"saes/{name}",
            "id": name,
            "grain": "passage" if name == "p2" else "token",
            "roles": roles[name],
            "reference": None,
            "steering": STEERING if name == "p2" else None,
            "measured": {},
        }
        for name in roles
    ]
    files = {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }
    manifest = {"format": 2, "name": "tiny", "model": "model", "typography": "any", "measured": {}}
    manifest |= {"saes": saes, "catalogue": "catalogue.sqlite", "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    monkeypatch.setenv("UNDERSONG_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("undersong.engine.weights.find_default", lambda: folder)
    monkeypatch.setattr("undersong.engine.reference.reference_passages", lambda: ["The sea was gray.", "It rained."])
    return folder


def test_only_what_reads_or_steers_is_loaded(described):
    (*_, loaded) = load(None, (), "cpu", lambda *said: None)
    assert {name: one.roles for name, one in loaded.dictionaries.items()} == {"1": ("read",), "p2": ("read", "steer")}
    assert torch.equal(loaded.dictionaries["p2"].steering, steering_rows())


def test_what_steers_is_what_the_catalogue_says_but_never_an_sae_that_only_reads(described):
    (*_, loaded) = load(None, (), "cpu", lambda *said: None)
    assert [loaded.steers.get(f) for f in ("p2.0", "p2.1", "p2.2", "p2.3")] == [True, False, None, None]
    assert [loaded.steers.get(f) for f in ("1.0", "1.63")] == [False, False]


@pytest.mark.parametrize("feature", ["joy", "p2.1", "gray", "1.63"])
def test_a_feature_that_does_not_steer_is_not_raised(described, feature):
    (*_, loaded) = load(None, (), "cpu", lambda *said: None)
    says = f"“{feature}” reads, does not steer: expected a strength of 0 or less, found 0.5"
    with pytest.raises(BadStrength, match=says):
        turned(loaded, Dial(feature, 0.5))
    for dial in (Dial(feature, 0.0), Dial(feature, -1.0), Dial(feature, 1.0, "ablate")):
        assert turned(loaded, dial).doses(dial.strength) == 0
