"""A run goes on from its checkpoint exactly, refuses one of other settings, and stops when asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sae.training.streams import FIRST, SECOND, TEXTS, D, read, stream, tokenize
from undersong.errors import BadInput, WeightsFormat
from undersong.sae.annealing import Annealing
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Objective, Sizes
from undersong.sae.training.activations import ActivationStream, Stopped
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule, published_rate
from undersong.sae.training.texts import Listed
from undersong.sae.training.trainer import CHECKPOINT, Job, Progress, Run, RunPlan

PLAN = LearnerPlan(learning_rate=3e-3, schedule=Schedule(warm_up=3, decay_from=0.5), dead_after=300)
OBJECTIVES_TRIED: dict[str, Objective] = {
    "standard": OBJECTIVES["standard"](sparsity=1.0, anneal=Annealing(begin=0.1, levels=5)),
    "topk": OBJECTIVES["topk"](k=3),
    "batchtopk": OBJECTIVES["batchtopk"](k=3),
    "jumprelu": OBJECTIVES["jumprelu"](l0=4.0),
}


def jobs() -> list[Job]:
    found = [
        Job(name, Learner(objective, Sizes((D,), 32, (D,)), PLAN), (FIRST,))
        for name, objective in OBJECTIVES_TRIED.items()
    ]
    cross = Learner(OBJECTIVES["crosscoder"](sparsity=1.0, parts=(D, D)), Sizes((D, D), 32, (D, D)), PLAN)
    return [*found, Job("crosscoder", cross, (FIRST, SECOND))]


def run(folder: Path | None, tokens: int = 32 * 30, **plan: Any) -> Run:
    return Run(jobs(), stream(), replace(RunPlan(tokens, 32, report_seconds=0.0), **plan), folder)


def finished(done: Run) -> dict[str, dict[str, torch.Tensor]]:
    return {job.name: job.learner.finished() for job in done.jobs}


def test_a_run_that_was_stopped_goes_on_exactly(tmp_path: Path) -> None:
    whole = run(None)
    assert whole.go()
    asked = iter([False] * 11 + [True])
    first = run(tmp_path)
    assert not first.go(stopped=lambda: next(asked))
    assert first.step == 12
    second = run(tmp_path)
    assert second.resume()
    assert second.step == 12 and second.go()
    for name, tensors in finished(whole).items():
        for key, tensor in tensors.items():
            assert torch.equal(finished(second)[name][key], tensor), (name, key)
    assert [job.learner.told() for job in second.jobs] == [job.learner.told() for job in whole.jobs]
    # Some were dead meanwhile, so that what revives them was part of it.
    assert whole.jobs[1].learner.told().dead > 0


@pytest.mark.parametrize(("fill", "step"), [(0, 0), (1, 7), (3, 21)])
def test_a_run_that_is_stopped_while_it_reads_keeps_the_steps_before(tmp_path: Path, fill: int, step: int) -> None:
    whole = run(None)
    whole.go()
    begun: list[int] = []

    def filling(held: int, of: int) -> None:
        begun.append(held) if held == 0 else None
        if len(begun) > fill:
            raise Stopped

    plan = RunPlan(32 * 30, 32, report_seconds=0.0)
    first = Run(jobs(), ActivationStream(Listed(TEXTS), tokenize, read, stream().plan, filling), plan, tmp_path)
    assert not first.go()
    assert first.step == step
    second = run(tmp_path)
    assert second.resume() == (step > 0)
    assert second.go()
    for name, tensors in finished(whole).items():
        for key, tensor in tensors.items():
            assert torch.equal(finished(second)[name][key], tensor), (name, key)


def test_a_run_that_was_killed_goes_on_from_its_checkpoint_exactly(tmp_path: Path) -> None:
    whole = run(None)
    whole.go()
    killed = run(tmp_path, checkpoint_seconds=0.0)

    def die(progress: Progress) -> None:
        if progress.step == 12:
            raise MemoryError

    with pytest.raises(MemoryError):
        killed.go(report=die)
    # As it is after kill -9 in the middle of writing.
    (tmp_path / f"{CHECKPOINT}.part").write_bytes(b"half a checkp")
    second = run(tmp_path)
    assert second.resume() and second.step == 11 and second.go()
    for name, tensors in finished(whole).items():
        for key, tensor in tensors.items():
            assert torch.equal(finished(second)[name][key], tensor), (name, key)


def test_a_loss_that_is_no_number_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    done = run(tmp_path, checkpoint_seconds=0.0, report_seconds=1e9)

    def spoil() -> bool:
        if done.step == 5:
            with torch.no_grad():
                done.jobs[1].learner.weights["W_dec"].fill_(torch.nan)
        return False

    with pytest.raises(BadInput, match="topk: expected a loss that is a number, found nan at step 6"):
        done.go(stopped=spoil)
    held = torch.load(tmp_path / CHECKPOINT)
    assert held["step"] == 5


def test_checkpoints_come_by_the_clock_and_one_at_a_time(tmp_path: Path) -> None:
    done = run(tmp_path, checkpoint_seconds=0.0)
    steps: list[int] = []
    done.go(report=lambda _: steps.append(torch.load(tmp_path / CHECKPOINT)["step"] if done.step > 1 else 0))
    assert steps == [0, *range(1, 30)]
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT]


def test_progress_says_how_far_it_is_and_what_was_learnt() -> None:
    told: list[Progress] = []
    run(None).go(report=told.append)
    assert [progress.step for progress in told] == list(range(1, 31))
    last = told[-1]
    assert (last.tokens, last.of_tokens, last.left) == (960, 960, 0.0)
    assert last.speed > 0 and set(last.told) == {*OBJECTIVES_TRIED, "crosscoder"}
    assert last.told["topk"].l0 == pytest.approx(3.0)
    assert last.told["topk"].unexplained < told[0].told["topk"].unexplained


def test_texts_that_end_early_end_the_run(tmp_path: Path) -> None:
    done = Run(jobs(), stream(Listed(TEXTS[:5])), RunPlan(10**6, 32), tmp_path)
    assert done.go() and 0 < done.step < done.steps


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    run(tmp_path, facts={"width": 32}).go()
    with pytest.raises(BadInput, match="expected width 64; found width 32"):
        run(tmp_path, facts={"width": 64}).resume()
    other = run(tmp_path, facts={"width": 32})
    other.jobs.pop()
    with pytest.raises(BadInput, match="expected SAEs"):
        other.resume()


def test_a_damaged_checkpoint_is_refused_and_none_is_none(tmp_path: Path) -> None:
    assert not run(tmp_path).resume() and not run(None).resume()
    (tmp_path / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsFormat, match="damaged"):
        run(tmp_path).resume()
    torch.save({"weights": torch.zeros(2)}, tmp_path / CHECKPOINT)
    with pytest.raises(WeightsFormat, match="expected facts, learners, step, streams; found none of ours"):
        run(tmp_path).resume()


def test_rates_warm_up_stay_and_go_down() -> None:
    schedule = Schedule(warm_up=10, decay_from=0.8, sparsity_warm_up=4)
    assert [schedule.rate(step, step / 100) for step in (0, 4, 9, 50, 80, 90, 99)] == pytest.approx(
        [0.1, 0.5, 1.0, 1.0, 1.0, 0.5, 0.05]
    )
    assert [schedule.sparsity(step) for step in (0, 1, 3, 9)] == [0.25, 0.5, 1.0, 1.0]
    assert Schedule(warm_up=0).rate(0, 0.0) == 1.0
    assert (published_rate(2**14), published_rate(2**16)) == pytest.approx((2e-4, 1e-4))


def test_weights_in_bfloat16_products_learn_too() -> None:
    learner = Learner(OBJECTIVES["topk"](k=3), Sizes((D,), 32, (D,)), replace(PLAN, autocast=True))
    batches = iter(stream())
    for step in range(30):
        learner.step(next(batches)[FIRST].to(torch.bfloat16), None, step / 30)
    assert all(tensor.dtype == torch.float32 and tensor.isfinite().all() for tensor in learner.finished().values())
    assert learner.told().unexplained < 0.7
