"""Doses are measured with the engine's own parts, feature by feature, and what was measured is not measured again."""

from __future__ import annotations

from dataclasses import astuple

import doses
import pytest
import torch
from benchmarks.steering.texts import desk, unsteered
from doses import Measured, load_measured, measure, output_score

from tests.support.tiny_models import write_weights
from undersong.catalogue.doses import Doses
from undersong.engine.loading import load
from undersong.engine.openings import OPENINGS
from undersong.engine.steering import find
from undersong.engine.weights import find_default
from undersong.wire import Dose, Outcome

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    tiny = write_weights(folder)
    patch = pytest.MonkeyPatch()
    patch.setenv("UNDERSONG_CACHE_DIR", str(folder / "cache"))
    *_, loaded = load(str(tiny.model), tuple(map(str, tiny.saes.values())), "cpu", lambda *said: None)
    kept = Doses.open(folder / "doses.sqlite")
    yield desk(loaded, kept, OPENINGS[:3])
    kept.close()
    patch.undo()


def check_same(found: Measured, expected: Measured) -> None:
    assert found.feature == expected.feature and found.dose == expected.dose
    assert found.output_score == expected.output_score
    assert astuple(found.outcome) == pytest.approx(astuple(expected.outcome), abs=2e-3)
    assert (found.z, found.rise) == (pytest.approx(expected.z, abs=0.05), pytest.approx(expected.rise, abs=2e-3))


@pytest.mark.parametrize("features", [["p2.4", "p2.9", "p2.1"], ["1.5", "1.7"]])
def test_features_measured_together_are_measured_as_each_alone(place, monkeypatch, features):
    monkeypatch.setattr(doses, "SAMPLES", 3)
    monkeypatch.setattr(doses, "N_TOKENS", 6)
    base = unsteered(place, 3, 6)
    together = measure(place, features, base)
    for feature, found in zip(features, together, strict=True):
        (alone,) = measure(place, [feature], base)
        check_same(found, alone)
        assert 0 < found.dose.kl_p95 <= 1 and found.outcome.perplexity_ratio > 0 and 0 <= found.output_score <= 1


def test_a_feature_that_was_never_active_rises_by_no_share_of_what_it_reaches(place, monkeypatch):
    monkeypatch.setattr(doses, "SAMPLES", 2)
    monkeypatch.setattr(doses, "N_TOKENS", 5)
    largest = find(place.loaded, "p2.0").dictionary.reference.quantiles[:, -1]
    never = int(largest.argmin())
    assert largest[never] == 0
    (found,) = measure(place, [f"p2.{never}"], unsteered(place, 2, 5))
    assert found.rise == 0 and not found.steers


def test_a_feature_that_was_measured_with_these_weights_is_not_measured_again(tmp_path):
    """On the shipped weights, in processes as the recipe has them."""
    out = find_default()
    doses.measure_features(out, ["p3.1"], tmp_path)
    file = tmp_path / "doses.jsonl"
    known = file.read_text()
    file.write_text(known + known.replace('"p3.1"', '"p3.2"').replace('"weights": "', '"weights": "other'))
    assert set(load_measured(out, tmp_path)) == {"p3.1"}
    doses.measure_features(out, ["p3.1", "p3.2"], tmp_path)
    assert file.read_text().startswith(known) and set(load_measured(out, tmp_path)) == {"p3.1", "p3.2"}


@pytest.mark.parametrize(
    ("z", "rise", "expected"), [(5.0, 0.3, True), (1.0, 0.3, False), (5.0, 0.01, False), (-5.0, -0.3, False)]
)
def test_a_feature_steers_if_what_is_read_rises_surely_and_enough(z, rise, expected):
    assert Measured("p3.1", Dose(1, 1, 1), 0.5, Outcome(0.1, 0.1, 1.1), z, rise).steers is expected


@pytest.mark.parametrize("feature", ["1.5", "p2.4"])
def test_a_reading_is_the_encoders_before_any_feature_is_left_out(place, feature):
    turned = find(place.loaded, feature)
    sae, texts = turned.dictionary.sae, unsteered(place, 2, 5)
    found = doses._readings(place, [turned], texts)[:, 0]
    for text, reading in zip(texts, found.tolist(), strict=True):
        window = place.windows[text.opening]
        resid = _residuals(place.loaded, [*window.ids, *text.ids], sae.hook_layer)
        own = resid[window.length :]
        pooled = sae.pool(own.sum(0), len(text.ids))[0] if sae.grain == "passage" else own.mean(0)
        pre = (pooled - sae.b_dec) @ sae.W_enc[:, turned.index] + sae.b_enc[turned.index]
        assert reading == pytest.approx(float(pre), abs=1e-3)


def _residuals(loaded, ids: list[int], layer: int):
    with torch.no_grad():
        return loaded.model.network(torch.tensor([ids]), output_hidden_states=True).hidden_states[layer + 1][0]


@pytest.mark.parametrize("feature", ["1.5", "p2.4"])
def test_the_output_score_is_that_of_a_residual_pushed_by_its_own_length(place, feature):
    turned = find(place.loaded, feature)
    model, direction = place.loaded.model, turned.direction[0]
    network = model.network
    own = (network.lm_head.weight @ (network.model.norm.weight * direction)).topk(doses.WORDS).indices
    layer = model.blocks.modules[turned.dictionary.sae.hook_layer]

    def push(_module, _inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        added = hidden.norm(dim=-1, keepdim=True) * direction / direction.norm()
        added[:, 0] = 0
        pushed = hidden + added
        return (pushed, *output[1:]) if isinstance(output, tuple) else pushed

    scores = []
    for window in place.windows:
        handle = layer.register_forward_hook(push)
        with torch.no_grad():
            shares = network(torch.tensor([list(window.ids)])).logits[0, -1].softmax(0)
        handle.remove()
        order = shares.argsort(descending=True).tolist()
        best = min(order.index(int(token)) for token in own)
        scores.append((1 - best / len(shares)) * max(float(shares[int(token)]) for token in own))
    assert output_score(place, turned) == pytest.approx(sum(scores) / len(scores), abs=2e-4)
