"""Figures against loops over tokens that follow the definitions word by word."""

from __future__ import annotations

import math

import pytest
import torch

from tests.sae.evaluation.toys import BOS, Table, toy_ids, toy_sae
from undersong.sae.evaluation.estimates import Sums
from undersong.sae.evaluation.metrics import BehaviourMeter, FidelityMeter
from undersong.sae.evaluation.subject import counted


def measured(architecture: str = "standard", parts: int = 1):
    sae, subject, ids = toy_sae(architecture), Table(), toy_ids()
    fidelity, behaviour = FidelityMeter(sae), BehaviourMeter(subject)
    for part in ids.chunk(parts):
        seen = subject.seen(part)
        behaviour.add(part, seen, fidelity.add(seen.read, seen.held, counted(part, subject.special_ids)))
    return sae, subject, ids, fidelity, behaviour


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
def test_fidelity_is_what_its_definitions_say(architecture: str) -> None:
    sae, subject, ids, fidelity, _ = measured(architecture)
    x = subject.seen(ids).held[ids != BOS].double()
    f = sae.encode(x.float()).double()
    y = sae.decode(f.float()).double()
    mse = (x - y).square().sum(1).mean()
    expected = {
        "mse": mse,
        "explained_variance": 1 - mse / x.var(0, correction=0).sum(),
        "explained_variance_legacy": (1 - (x - y).square().sum(1) / (x - x.mean(0)).square().sum(1)).mean(),
        "cossim": torch.cosine_similarity(x, y).mean(),
        "l2_norm_in": x.norm(dim=1).mean(),
        "l2_norm_out": y.norm(dim=1).mean(),
        "l2_ratio": (y.norm(dim=1) / x.norm(dim=1)).mean(),
        "relative_reconstruction_bias": y.square().sum(1).mean() / (x * y).sum(1).mean(),
        "l0": (f > 0).sum(1).double().mean(),
        "l1": f.sum(1).mean(),
    }
    figures = fidelity.figures()
    found = {name: getattr(figures, name).value for name in expected}
    assert found == pytest.approx({name: float(value) for name, value in expected.items()}, abs=1e-5)
    assert fidelity.tokens == len(x) == int((ids != BOS).sum())


def test_behaviour_is_what_its_definitions_say() -> None:
    sae, subject, ids, _, behaviour = measured()
    seen = subject.seen(ids)
    rebuilt = torch.where((ids == BOS)[..., None], seen.held, sae.rebuild(seen.held))
    runs = {"clean": seen.logits, "sae": rebuilt @ subject.head, "zero": torch.zeros_like(seen.logits)}
    nats: dict[str, list[float]] = {name: [] for name in runs}
    kl: dict[str, list[float]] = {name: [] for name in runs}
    for row in range(ids.shape[0]):
        for at in range(ids.shape[1]):
            if ids[row, at] == BOS:
                continue
            base = torch.log_softmax(seen.logits[row, at].double(), -1)
            for name, logits in runs.items():
                own = torch.log_softmax(logits[row, at].double(), -1)
                kl[name].append(float((base.exp() * (base - own)).sum()))
                if at + 1 < ids.shape[1]:
                    nats[name].append(-float(own[ids[row, at + 1]]))
    mean = {name: sum(values) / len(values) for name, values in nats.items()}
    kl_mean = {name: sum(values) / len(values) for name, values in kl.items()}
    figures = behaviour.figures()
    assert figures.ce_loss_without_sae.value == pytest.approx(mean["clean"], abs=1e-5)
    assert figures.ce_loss_with_sae.value == pytest.approx(mean["sae"], abs=1e-5)
    assert figures.ce_loss_with_ablation.value == pytest.approx(math.log(40), abs=1e-5)
    score = (mean["zero"] - mean["sae"]) / (mean["zero"] - mean["clean"])
    assert figures.ce_loss_score.value == pytest.approx(score, abs=1e-5)
    assert figures.kl_div_with_sae.value == pytest.approx(kl_mean["sae"], abs=1e-5)
    assert figures.kl_div_score.value == pytest.approx(1 - kl_mean["sae"] / kl_mean["zero"], abs=1e-5)


def test_batches_change_nothing_but_the_legacy_variance() -> None:
    *_, whole, whole_behaviour = measured(parts=1)
    *_, parts, parts_behaviour = measured(parts=3)
    for name in ("explained_variance", "mse", "cossim", "relative_reconstruction_bias", "l0", "l1"):
        assert getattr(parts.figures(), name).value == pytest.approx(getattr(whole.figures(), name).value, rel=1e-6)
    assert parts_behaviour.figures().ce_loss_score.value == pytest.approx(
        whole_behaviour.figures().ce_loss_score.value, rel=1e-6
    )
    assert torch.equal(parts.features().density, whole.features().density)


def test_a_feature_is_counted_where_it_is_active() -> None:
    sae, subject, ids, fidelity, _ = measured()
    codes = sae.encode(subject.seen(ids).held) * (ids != BOS)[..., None]
    features = fidelity.features()
    torch.testing.assert_close(features.density, (codes > 0).sum((0, 1)) / (ids != BOS).sum())
    torch.testing.assert_close(features.maximum, codes.amax((0, 1)))
    texts = (codes > 0).any(1).sum(0)
    torch.testing.assert_close(features.consistency, (codes > 0).sum((0, 1)) / texts.clamp_min(1))
    assert features.cosine.shape == (sae.d_sae,) and float(features.cosine.min()) > 0.5


def test_a_perfect_reconstruction_explains_everything() -> None:
    subject, ids = Table(), toy_ids()
    meter = BehaviourMeter(subject)
    seen = subject.seen(ids)
    meter.add(ids, seen, seen.held)
    figures = meter.figures()
    assert figures.ce_loss_score.value == pytest.approx(1) and figures.kl_div_with_sae.value == pytest.approx(0)


def test_what_is_not_counted_may_be_anything() -> None:
    sae, subject, ids = toy_sae(), Table(), toy_ids()
    held = subject.seen(ids).held
    keep = ids != BOS
    clean, wild = FidelityMeter(sae), FidelityMeter(sae)
    clean.add(held, held, keep)
    infinite = torch.where(keep[..., None], held, torch.inf)
    wild.add(infinite, infinite, keep)
    assert wild.figures() == clean.figures()
    assert torch.equal(wild.features().density, clean.features().density)
    assert torch.equal(wild.features().maximum, clean.features().maximum)


@pytest.mark.parametrize("alike", [1, 2, 8])
def test_the_error_of_a_mean_is_its_standard_error(alike: int) -> None:
    """Also where neighbours are alike, as lines of one page are: then there is less to tell a mean from."""

    def estimate(seed: int) -> tuple[float, float, float]:
        drawn = torch.randn(320 // alike, generator=torch.Generator().manual_seed(seed)).double()
        values = drawn.repeat_interleave(alike)
        sums = Sums()
        sums.add({"n": torch.ones(320), "x": values})
        found = sums.estimate(lambda total: {"mean": float(total["x"] / total["n"])})["mean"]
        return found.value, float(values.mean()), found.error

    found = [estimate(seed) for seed in range(12)]
    assert all(value == pytest.approx(mean) for value, mean, _ in found)
    assert sum(error for *_, error in found) / 12 == pytest.approx(math.sqrt(alike / 320), rel=0.1)
    with pytest.raises(ValueError, match="expected rows"):
        Sums().estimate(lambda total: {})
