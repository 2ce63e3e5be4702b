"""A run: several SAEs trained on one stream of activations, with checkpoints from which it goes on exactly.

A checkpoint holds all that changes: each learner's tensors and Adam's, and where the stream stands. It replaces the one
before in one move, so that a crash leaves a whole one. Opened with torch.load(weights_only=True).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch
from torch import Tensor

from undersong.errors import BadInput, WeightsFormat
from undersong.hook_points import HookPoint
from undersong.sae.training.activations import Batch, Stopped
from undersong.sae.training.distributed import Group
from undersong.sae.training.learner import Learner, Told

CHECKPOINT = "checkpoint.pt"
_HELD = {"facts", "step", "streams", "learners"}


class Stream(Protocol):
    def __iter__(self) -> Iterator[Batch]: ...

    def state(self) -> dict[str, Any]: ...

    def restore(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One SAE to train: which hook points it reads, side by side, and which it rebuilds; None: those it reads."""

    name: str
    learner: Learner
    inputs: tuple[HookPoint, ...]
    outputs: tuple[HookPoint, ...] | None = None

    def step(self, batch: Batch, share: float) -> None:
        target = None if self.outputs is None else _side_by_side(batch, self.outputs)
        self.learner.step(_side_by_side(batch, self.inputs), target, share)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """`tokens` over all processes, `batch` in each. `facts`: what a checkpoint must have been made with to go on."""

    tokens: int
    batch: int
    checkpoint_seconds: float = 600.0
    report_seconds: float = 1.0
    facts: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """`tokens` of `of_tokens` seen; `speed` tokens a second since this start; `left` seconds."""

    step: int
    steps: int
    tokens: int
    of_tokens: int
    speed: float
    left: float
    told: Mapping[str, Told]


class Run:
    """`folder` gets the checkpoint; None keeps none."""

    def __init__(
        self, jobs: list[Job], stream: Stream, plan: RunPlan, folder: Path | None = None, group: Group | None = None
    ) -> None:
        self.jobs, self.stream, self.plan, self.folder, self.group = jobs, stream, plan, folder, group
        self.per_step = plan.batch * (group.processes if group else 1)
        self.steps = max(1, plan.tokens // self.per_step)
        self.step = 0

    def go(
        self, report: Callable[[Progress], None] = lambda _: None, stopped: Callable[[], bool] = lambda: False
    ) -> bool:
        """Train to the end, or until `stopped()` says so between two steps, or the stream stops: whether the end was
        reached.

        Where the texts end before the tokens asked for, that is the end. BadInput where a loss is no longer a number:
        the checkpoint stays the one before.
        """
        first = self.step
        began = saved = told = time.monotonic()
        batches = iter(self.stream)
        while self.step < self.steps:
            try:
                batch = next(batches, None)
            except Stopped:
                if self.step:
                    self.save()
                return False
            if self.step == first:
                # The first buffer is filled before anything is learnt: its time says nothing of the steps.
                began = time.monotonic()
            # Where one process's texts end, all end: a step is taken by all or by none.
            if self.group and not self.group.all_say(batch is not None):
                break
            if batch is None:
                break
            for job in self.jobs:
                job.step(batch, self.step / self.steps)
            self.step += 1
            now = time.monotonic()
            if now - told >= self.plan.report_seconds or self.step == self.steps:
                told = now
                report(self._progress(now - began, self.step - first))
            if self._agreed(stopped()):
                self.save()
                return False
            if self._agreed(self.folder is not None and now - saved >= self.plan.checkpoint_seconds):
                saved = now
                self.save()
        self.save()
        return True

    def _agreed(self, own: bool) -> bool:
        return self.group.first_says(own) if self.group else own

    def _progress(self, seconds: float, steps: int) -> Progress:
        speed = steps * self.per_step / max(seconds, 1e-9)
        left = (self.steps - self.step) * self.per_step / max(speed, 1e-9)
        tokens = self.step * self.per_step
        return Progress(self.step, self.steps, tokens, self.steps * self.per_step, speed, left, self._told())

    def _told(self) -> dict[str, Told]:
        told = {job.name: job.learner.told() for job in self.jobs}
        lost = next((name for name, each in told.items() if not math.isfinite(each.loss)), None)
        if lost is not None:
            raise BadInput(
                f"train: {lost}: expected a loss that is a number, found {told[lost].loss} at step {self.step}: "
                "a lower learning rate or sparsity penalty may help"
            )
        return told

    def save(self) -> None:
        """Write the checkpoint, where there is a folder for it."""
        if self.folder is None:
            return
        self._told()
        own = self.stream.state()
        streams = self.group.gather(own) if self.group else [own]
        if self.group is None or self.group.process == 0:
            self._write(self.folder, streams)
        if self.group:
            self.group.wait()

    def _write(self, folder: Path, streams: list[dict[str, Any]]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        held = {
            "facts": dict(self.plan.facts or {}),
            "step": self.step,
            "streams": streams,
            "learners": {job.name: job.learner.state() for job in self.jobs},
        }
        part = folder / f"{CHECKPOINT}.part"
        with part.open("wb") as file:
            torch.save(held, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go back to the checkpoint in the folder; False where there is none.

        BadInput where it was made with other settings, WeightsFormat where it is damaged.
        """
        file = None if self.folder is None else self.folder / CHECKPOINT
        if file is None or not file.is_file():
            return False
        try:
            held = torch.load(file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, UnpicklingError) as error:
            raise WeightsFormat(f"checkpoint: {file} is damaged or none of ours: {error}") from error
        if not isinstance(held, dict) or not held.keys() >= _HELD:
            raise WeightsFormat(f"checkpoint: {file}: expected {', '.join(sorted(_HELD))}; found none of ours")
        self._check(file, held)
        self.step = held["step"]
        self.stream.restore(held["streams"][self.group.process if self.group else 0])
        for job in self.jobs:
            job.learner.restore(held["learners"][job.name])
        return True

    def _check(self, file: Path, held: Mapping[str, Any]) -> None:
        expected = {**(self.plan.facts or {}), "processes": self.group.processes if self.group else 1}
        found = {**held["facts"], "processes": len(held["streams"])}
        other = sorted(key for key in {*expected, *found} if expected.get(key) != found.get(key))
        if other:
            raise BadInput(
                f"checkpoint: {file}: expected "
                + ", ".join(f"{key} {expected.get(key)!r}" for key in other)
                + "; found "
                + ", ".join(f"{key} {found.get(key)!r}" for key in other)
            )
        if set(held["learners"]) != {job.name for job in self.jobs}:
            raise BadInput(
                f"checkpoint: {file}: expected SAEs {[j.name for j in self.jobs]}; found {[*held['learners']]}"
            )


def _side_by_side(batch: Batch, points: tuple[HookPoint, ...]) -> Tensor:
    """[n, sum of widths]"""
    parts = [batch[point] for point in points]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
