"""Transcoders learn what one place makes of another; the file computes what was learnt."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.sae.training.mixtures import FEATURES, D, amounts, mixture
from undersong.sae.architectures import ARCHITECTURES, OBJECTIVES
from undersong.sae.config import SAEConfig
from undersong.sae.learning import Moment, Objective, Sizes
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule

D_OUT = 10
TRIED: dict[str, Objective] = {
    "transcoder": OBJECTIVES["transcoder"](sparsity=0.3),
    "topk_transcoder": OBJECTIVES["topk_transcoder"](k=4),
    "jumprelu_transcoder": OBJECTIVES["jumprelu_transcoder"](l0=4.0, sparsity=0.05, bandwidth=0.5, first_threshold=0.3),
    "skip_transcoder": OBJECTIVES["skip_transcoder"](sparsity=0.3),
    "topk_skip_transcoder": OBJECTIVES["topk_skip_transcoder"](k=4),
    "jumprelu_skip_transcoder": OBJECTIVES["jumprelu_skip_transcoder"](
        l0=4.0, sparsity=0.05, bandwidth=0.5, first_threshold=0.3
    ),
}
_LINEAR = torch.randn(D, D_OUT, generator=torch.Generator().manual_seed(9)) / 4


def pair(n: int, seed: int, *, linear: float) -> tuple[Tensor, Tensor]:
    """What is read [n, D], and what is rebuilt [n, D_OUT]: the same amounts along other directions, squared."""
    held = amounts(n, seed)
    read = 3 * held @ mixture(0).directions + mixture(0).offset
    return read, 5 * held.pow(2) @ mixture(1, D_OUT).directions - 2.0 + linear * read @ _LINEAR


@pytest.mark.parametrize("name", TRIED)
def test_a_map_between_places_is_learnt_and_the_file_computes_it(name: str) -> None:
    objective = TRIED[name]
    plan = LearnerPlan(learning_rate=1e-2, schedule=Schedule(20, 0.7, sparsity_warm_up=50), clip=1e9)
    learner = Learner(objective, Sizes((D,), 2 * FEATURES, (D_OUT,)), plan)
    linear = 10.0 if "skip" in name else 0.0
    steps = 250
    for step in range(steps):
        learner.step(*pair(256, step, linear=linear), step / steps)
    assert learner.told().unexplained < 0.2
    assert learner.told().l0 < 14

    read, wanted = pair(200, -1, linear=linear)
    assert learner.frames is not None
    inner, target = learner.frames[0].into(read), learner.frames[1].into(wanted)
    outcome = objective.loss(learner.weights, learner.buffers, inner, target, Moment(1.0, 1.0, None))
    expected = learner.frames[1].centre + learner.frames[1].scale * (target - outcome.error)
    config = SAEConfig(
        objective.architecture, D, 2 * FEATURES, "blocks.0.mlp.hook_in", 0,
        d_out=D_OUT, hook_out="blocks.0.hook_mlp_out", **objective.stated(),
    )  # fmt: skip
    sae = ARCHITECTURES[objective.architecture]("0", config, learner.finished())
    torch.testing.assert_close(sae.rebuild(read), expected, atol=2e-3, rtol=2e-3)
