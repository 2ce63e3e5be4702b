"""What each of two processes does for test_distributed.py: `torchrun -m tests.sae.training.together OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from tests.sae.training.streams import FIRST, D, stream
from tests.sae.training.test_distributed import PLAN, TRIED, learner, train
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Sizes
from undersong.sae.training.distributed import Group, joined
from undersong.sae.training.learner import Learner
from undersong.sae.training.trainer import Job, Run, RunPlan


def run(group: Group, folder: Path) -> Run:
    made = Learner(
        OBJECTIVES["batchtopk"](k=3), Sizes((D,), 32, (D,)), PLAN, reduce=group.reduce, processes=group.processes
    )
    texts = stream(process=group.process, processes=group.processes)
    return Run([Job("0", made, (FIRST,))], texts, RunPlan(64 * 20, 32, report_seconds=0.0), folder, group)


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as group:
        assert group is not None
        found = {
            name: train(learner(name, reduce=group.reduce, processes=2), group.process, group.processes)
            for name in TRIED
        }
        whole = run(group, out.parent / "whole")
        whole.go()
        first = run(group, out.parent / "resumed")
        first.go(stopped=lambda: first.step == 9)
        second = run(group, out.parent / "resumed")
        assert second.resume() and second.step == 9
        second.go()
        found["whole run"] = whole.jobs[0].learner.finished()
        found["resumed run"] = second.jobs[0].learner.finished()
        if group.process == 0:
            torch.save(found, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
