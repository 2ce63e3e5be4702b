"""What each objective learns of a mixture whose directions are known; and how that becomes a file's tensors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.sae.training.mixtures import FEATURES, D, found, mixture
from tests.sae.training.test_objectives import moment, sizes_of
from undersong.sae.annealing import Annealing
from undersong.sae.architectures import ARCHITECTURES, OBJECTIVES
from undersong.sae.base import SAE
from undersong.sae.config import SAEConfig
from undersong.sae.learning import Frame, Objective, Sizes, folded, frame_of
from undersong.sae.sparse import top_of_batch
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule

LEARNT: dict[str, Objective] = {
    "standard": OBJECTIVES["standard"](sparsity=1.0),
    "gated": OBJECTIVES["gated"](sparsity=1.0),
    "crosscoder": OBJECTIVES["crosscoder"](sparsity=1.0, parts=(6, D - 6)),
    "topk": OBJECTIVES["topk"](k=2),
    "batchtopk": OBJECTIVES["batchtopk"](k=2),
    "matryoshka": OBJECTIVES["matryoshka"](k=2, shares=(0.5,)),
    "jumprelu": OBJECTIVES["jumprelu"](l0=3.0, sparsity=0.05, bandwidth=0.5, first_threshold=0.3),
    "standard, annealed": OBJECTIVES["standard"](
        sparsity=1.0, anneal=Annealing(end=0.5, begin=0.3, until=0.8, levels=4)
    ),
    "gated, annealed": OBJECTIVES["gated"](sparsity=1.0, anneal=Annealing(end=0.5, begin=0.3, until=0.8, levels=4)),
}


def trained(name: str, steps: int = 400) -> Learner:
    schedule = Schedule(warm_up=20, decay_from=0.7, sparsity_warm_up=50)
    plan = LearnerPlan(learning_rate=1e-2, schedule=schedule, dead_after=20_000, clip=1e9)
    kind = name.split(",")[0]
    parts = sizes_of(kind).inputs
    learner = Learner(LEARNT[name], Sizes(parts, 2 * FEATURES, parts), plan)
    source = mixture()
    for step in range(steps):
        learner.step(source.sample(256, seed=step), None, step / steps)
    return learner


def opened(learner: Learner) -> SAE:
    objective = learner.objective
    sites = [{"hook_name": f"blocks.{i}.hook_resid_post", "width": w} for i, w in enumerate(learner.sizes.inputs)]
    extras = {"undersong": {"sites": sites}}
    config = SAEConfig(
        objective.architecture,
        D,
        learner.sizes.d_sae,
        "blocks.0.hook_resid_post",
        0,
        extras=extras,
        **objective.stated(),
    )
    return ARCHITECTURES[objective.architecture]("0", config, learner.finished())


@pytest.mark.parametrize("name", LEARNT)
def test_a_sparse_mixture_is_learnt_and_the_file_computes_what_was_learnt(name: str) -> None:
    learner = trained(name)
    told = learner.told()
    # L1 shrinks, so it explains less.
    assert told.unexplained < (0.15 if "standard" in name or "crosscoder" in name else 0.08)
    assert told.l0 < 8
    cosines = found(mixture().directions, learner.finished()["W_dec"])
    assert (cosines > 0.9).float().mean() > 0.7

    x = mixture().sample(300, seed=-1)
    assert learner.frames is not None
    inner = learner.frames[0].into(x)
    objective = learner.objective
    buffers = dict(learner.buffers)
    if "least" in buffers:
        # What this batch keeps, not what batches keep on average. The file keeps what is strictly above.
        bias = objective.bias(learner.weights)
        pre = (inner @ learner.weights["W_enc"] + bias).detach()
        picks = top_of_batch(pre, 2)
        least = pre[picks.rows, picks.features].min()
        assert float(buffers["least"]) == pytest.approx(float(least), rel=0.5)
        learner.buffers = {**buffers, "least": least * 0.99999}
    outcome = objective.loss(learner.weights, buffers, inner, inner, moment())
    expected = learner.frames[0].centre + learner.frames[0].scale * (inner - outcome.error)
    sae = opened(learner)
    torch.testing.assert_close(sae.decode(sae.encode(x)), expected, atol=1e-3, rtol=1e-3)
    assert (sae.encode(x) > 0).float().sum(dim=1).mean() == pytest.approx(float(outcome.l0), abs=0.02)
    if objective.unit_rows:
        torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(sae.d_sae), atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("subtracts", [True, False])
def test_frames_fold_into_the_weights_of_a_map_between_two_places(subtracts: bool) -> None:
    random = torch.Generator().manual_seed(1)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random)

    d_in, d_out = (5, 5) if subtracts else (5, 3)
    inner = {"W_enc": normal(d_in, 8), "W_dec": normal(8, d_out), "b_enc": normal(8), "b_dec": normal(d_out)}
    if not subtracts:
        inner["W_skip"] = normal(d_out, d_in)
    inputs = Frame(normal(d_in), normal(1).abs().expand(d_in))
    outputs = inputs if subtracts else Frame(normal(d_out), normal(1).abs().expand(d_out))

    def through(w: dict[str, Tensor], x: Tensor) -> Tensor:
        f = ((x - w["b_dec"] if subtracts else x) @ w["W_enc"] + w["b_enc"]).relu()
        return f @ w["W_dec"] + w["b_dec"] + (x @ w["W_skip"].T if "W_skip" in w else 0.0)

    x = normal(20, d_in)
    expected = outputs.centre + outputs.scale * through(inner, inputs.into(x))
    torch.testing.assert_close(through(folded(inner, inputs, outputs, subtracts=subtracts), x), expected)


def test_a_frame_centres_each_place_and_gives_it_a_length_of_its_own() -> None:
    x = torch.randn(500, 10, generator=torch.Generator().manual_seed(0))
    x[:, 4:] *= 100
    inner = frame_of(x, (4, 6)).into(x)
    for part in inner.split((4, 6), dim=1):
        assert part.norm(dim=1).mean() == pytest.approx(part.shape[1] ** 0.5, rel=0.01)


def test_a_centre_is_not_moved_by_one_huge_activation() -> None:
    x = torch.randn(500, 10, generator=torch.Generator().manual_seed(0)) + 2.0
    x[0] = 1e6
    assert (frame_of(x, (10,)).centre - 2.0).abs().max() < 0.2
