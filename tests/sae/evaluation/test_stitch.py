from __future__ import annotations

import pytest
import torch

from tests.sae.evaluation.toys import D, toy_sae
from undersong.errors import BadInput
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.evaluation.stitch import EffectMeter, added, similarity, stitched, swapped


def identity_sae(directions: list[int], threshold: float = 0.0) -> SAE:
    """One feature for each of some coordinates."""
    rows = torch.eye(D)[directions]
    config = SAEConfig("jumprelu", D, len(directions), "blocks.0.hook_resid_post", 0)
    bias = torch.zeros(len(directions))
    weights = {
        "W_enc": rows.T.clone(),
        "W_dec": rows,
        "b_enc": bias,
        "b_dec": torch.zeros(D),
        "threshold": bias + threshold,
    }
    return ARCHITECTURES["jumprelu"]("x", config, weights)


def residuals(n: int = 300, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, D, generator=torch.Generator().manual_seed(seed)).abs()


def measured(a: SAE, b: SAE, x: torch.Tensor):
    meter = EffectMeter(a, b)
    for part in x.split(70):
        meter.add(part, part)
    return meter.kinship()


def test_the_effect_of_a_feature_is_the_error_with_it_less_the_error_without() -> None:
    a, b, x = toy_sae("jumprelu", 20, 1), toy_sae("standard", 40, 2), residuals()
    kinship = measured(a, b, x)
    without = x - a.rebuild(x)
    codes = b.encode(x)
    for feature in (0, 7, 39):
        with_it = without - codes[:, [feature]] * b.W_dec[feature]
        expected = (with_it.square().sum(1) - without.square().sum(1)).mean()
        assert float(kinship.effect[feature]) == pytest.approx(float(expected), abs=1e-4)
    torch.testing.assert_close(kinship.density, (codes > 0).float().mean(0))


@pytest.mark.parametrize("normalization", ["layer_norm", "constant_norm_rescale"])
def test_the_effect_is_in_the_models_units_whatever_those_of_the_sae(normalization: str) -> None:
    a, b = (toy_sae("standard", 20, seed, normalization=normalization) for seed in (1, 2))
    x = 5 * residuals()
    kinship = measured(a, b, x)
    without = x - a.rebuild(x)
    codes = b.encode(x)
    nothing = b.rebuild(x, torch.zeros_like(codes))
    for feature in (0, 7, 19):
        alone = torch.zeros_like(codes)
        alone[:, feature] = codes[:, feature]
        with_it = without - (b.rebuild(x, alone) - nothing)
        expected = float((with_it.square().sum(1) - without.square().sum(1)).mean())
        assert float(kinship.effect[feature]) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_new_features_help_and_refinements_are_counted_twice() -> None:
    a, b, x = identity_sae([0, 1, 2]), identity_sae([2, 5, 6]), residuals()
    kinship = measured(a, b, x)
    assert kinship.nearest[0] == 2 and kinship.similarity.tolist() == [1, 0, 0]
    assert [kinship.kind(n) for n in range(3)] == ["refines", "new", "new"]
    assert float(kinship.effect[0]) > 0 > float(kinship.effect[1])


def test_the_stitched_sae_gives_what_the_two_gave() -> None:
    a, b, x = toy_sae("jumprelu", 20, 1), toy_sae("standard", 40, 2), residuals()
    from_a, from_b = torch.arange(20) % 2 == 0, torch.arange(40) % 3 == 0
    sae = stitched(a, b, from_a, from_b, x, x)
    expected = torch.cat([a.encode(x)[:, from_a], b.encode(x)[:, from_b]], dim=1)
    torch.testing.assert_close(sae.encode(x), expected, atol=1e-4, rtol=1e-4)
    assert sae.d_sae == int(from_a.sum() + from_b.sum()) and sae.config.architecture == "jumprelu"
    # The b_dec that lies best between the two.
    gap = (b.b_dec - a.b_dec) / 50
    error = (x - sae.rebuild(x)).square().sum()
    for moved in (gap, -gap):
        assert (x - sae.rebuild(x) - moved).square().sum() > error


def test_adding_what_is_new_lowers_the_error() -> None:
    a, b, x = identity_sae([0, 1, 2]), identity_sae([2, 5, 6]), residuals()
    kinship = measured(a, b, x)
    sae = stitched(a, b, *added(a, b, kinship), x, x)
    assert sae.d_sae == 5
    assert float((x - sae.rebuild(x)).square().sum()) < float((x - a.rebuild(x)).square().sum())


def test_what_is_new_by_its_direction_and_does_not_help_is_not_added() -> None:
    a, x = identity_sae([0, 1, 2]), residuals()
    b = identity_sae([5, 6])
    b.W_dec[1] *= -1
    kinship = measured(a, b, x)
    assert kinship.new().tolist() == [True, True] and float(kinship.effect[1]) > 0
    assert added(a, b, kinship)[1].tolist() == [True, False]
    # By directions alone nothing is known of that.
    assert added(a, b, similarity(a, b))[1].tolist() == [True, True]


def test_nothing_that_was_said_of_a_is_said_of_the_stitched_one() -> None:
    a, b, x = (
        toy_sae("standard", 20, 1, published_l0=7.0, extras={"trained": {"seed": 3}}),
        toy_sae(seed=2),
        residuals(),
    )
    every = torch.ones(20, dtype=torch.bool), torch.ones(24, dtype=torch.bool)
    config = stitched(a, b, *every, x, x).config
    assert config.published_l0 is None and config.extras is None and config.hook_name == a.hook_name


def test_swapping_puts_refinements_in_the_place_of_what_they_refine() -> None:
    a, b = identity_sae([0, 1, 2]), identity_sae([2, 5, 6])
    from_a, from_b = swapped(a, b, similarity(a, b))
    assert from_a.tolist() == [True, True, False] and from_b.tolist() == [True, True, True]


def test_all_that_a_refinement_is_like_goes_with_what_it_is_nearest_to() -> None:
    a, b = identity_sae([0, 1, 2]), identity_sae([0])
    b.W_dec[0, :3] = torch.tensor([0.75, 0.66, 0.0])
    from_a, from_b = swapped(a, b, similarity(a, b), threshold=0.6)
    assert from_a.tolist() == [False, False, True] and from_b.tolist() == [True]
    assert swapped(a, b, similarity(a, b), threshold=0.7)[0].tolist() == [False, True, True]


def test_a_feature_that_never_fires_is_neither_new_nor_a_refinement() -> None:
    a, b, x = identity_sae([0, 1]), identity_sae([5, 1], threshold=100.0), residuals()
    kinship = measured(a, b, x)
    assert [kinship.kind(n) for n in range(2)] == ["dead", "dead"]
    assert not kinship.new().any() and not kinship.refining().any()


def test_saes_of_two_places_and_those_whose_features_compete_are_refused() -> None:
    a, x = toy_sae("standard", 20, 1), residuals()
    elsewhere = toy_sae("standard", 20, 1, hook_name="blocks.1.hook_resid_post", hook_layer=1)
    with pytest.raises(BadInput, match=r"expected SAEs of one hook point; found blocks.0.* and blocks.1"):
        similarity(a, elsewhere)
    every = torch.ones(20, dtype=torch.bool)
    with pytest.raises(BadInput, match=r"whose features do not compete .* found topk"):
        stitched(a, toy_sae("topk", 20, 1), every, every, x, x)
    normalized = toy_sae("standard", 20, 1, normalization="layer_norm")
    with pytest.raises(BadInput, match="expected SAEs in the model's own units, found layer_norm"):
        stitched(normalized, normalized, every, every, x, x)
