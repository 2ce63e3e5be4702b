"""Two processes that share a batch take the steps that one takes on the whole, and resume alike."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import undersong
from tests.sae.training.mixtures import D, mixture
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Objective, Sizes
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule

ROOT = Path(__file__).parents[3]
STEPS, BATCH = 12, 64
TRIED: dict[str, Objective] = {
    "standard": OBJECTIVES["standard"](sparsity=0.5),
    "topk": OBJECTIVES["topk"](k=3),
    "gated": OBJECTIVES["gated"](sparsity=0.5),
}
PLAN = LearnerPlan(learning_rate=1e-3, schedule=Schedule(warm_up=2), dead_after=300)


def learner(name: str, **shared: object) -> Learner:
    made = Learner(TRIED[name], Sizes((D,), 32, (D,)), PLAN, **shared)  # pyright: ignore[reportArgumentType]
    made.frame(mixture().sample(256, seed=99), None)
    return made


def train(made: Learner, process: int, processes: int) -> dict[str, torch.Tensor]:
    part = BATCH // processes
    for step in range(STEPS):
        x = mixture().sample(BATCH, seed=step)[process * part : (process + 1) * part]
        made.step(x, None, step / STEPS)
    # What is told is of all tokens too; variance explained, a ratio in each process, only nearly.
    return {**made.finished(), "silent": made.silent, "loss and L0": made.averages[[0, 2]]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, torch.Tensor]]:
    out = tmp_path_factory.mktemp("together") / "found.pt"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(undersong.__file__).parents[1]), str(ROOT)]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    done = subprocess.run(
        [*command, "-m", "tests.sae.training.together", str(out)],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(out, weights_only=True)


@pytest.mark.parametrize("name", TRIED)
def test_two_processes_take_the_steps_of_one(name: str, shared: dict[str, dict[str, torch.Tensor]]) -> None:
    alone = train(learner(name), 0, 1)
    assert alone.keys() == shared[name].keys()
    for key, tensor in alone.items():
        torch.testing.assert_close(
            shared[name][key], tensor, atol=2e-4, rtol=2e-3, msg=lambda m, key=key: f"{key}: {m}"
        )


def test_a_run_of_two_processes_is_resumed_exactly(shared: dict[str, dict[str, torch.Tensor]]) -> None:
    for key, tensor in shared["whole run"].items():
        assert torch.equal(shared["resumed run"][key], tensor), key
