"""Steering: what is done at hook points of the model so that chosen features change by chosen amounts.

Always a delta, h <- h + delta, at most as large as the cap allows; how it is worked out is in deltas.py. What attention
or MLP adds ends up in the stream: a delta there is made where it does (Sites.stream), so that features of one place are
solved together whichever of its parts their SAEs stand for. A feature reads where its SAE reads: at the place that it
writes to, or at an earlier one (transcoders).

A gate says where an intervention acts at all, row by row and position by position; where it is shut nothing is asked
for. Steering may be damped: each row's whole delta, as capped, times a factor of that row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint, order
from undersong.model.deltas import PointWriter
from undersong.model.language_model import LanguageModel

Operation = Literal["floor", "clamp", "add", "ablate"]
Columns = Callable[[Tensor], Tensor]

_STREAM = ("resid_pre", "resid_mid", "resid_post")


class Gate(Protocol):
    """Where an intervention acts. `reads`: the hook point that tells; None: it goes by something else."""

    @property
    def reads(self) -> HookPoint | None: ...

    def __call__(self, value: Tensor) -> Tensor:
        """[rows, n, 1] bool of what passes at `reads` [rows, n, d], at the intervention's own place before its delta;
        where `reads` is None it is given what passes at that place, to know the number of rows."""
        ...

    def advance(self, step: Sequence[int | None]) -> None:
        """A step is settled: the token that each row wrote, None for a row that is finished."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """One operation on k features that write to `point` and read at `reads`, by default the same.

    `directions` [k, d_model]. `targets` [k], or [rows, k] where rows differ: activations for floor and clamp,
    coefficients for add, unused for ablate. `columns` reads the k features: [..., d] -> [..., k]; only add does
    without. `unit` [..., d] -> [..., 1]: by how much the directions are multiplied on a token that reads so, where it
    is not 1. `scale` [rows], >= 0, multiplies the row's wanted change: 1 (as None) is all of it, and a row of scale 0
    stays as it was, bit for bit. `gate`: where it acts; None: everywhere.
    """

    point: HookPoint
    operation: Operation
    directions: Tensor
    targets: Tensor
    columns: Columns | None = None
    scale: Tensor | None = None
    reads: HookPoint | None = None
    unit: Columns | None = None
    gate: Gate | None = None

    def __post_init__(self) -> None:
        k = self.directions.shape[0]
        if self.operation not in ("floor", "clamp", "add", "ablate"):
            raise ValueError(f"operation: expected floor, clamp, add or ablate, found {self.operation!r}")
        if self.directions.ndim != 2 or not k:
            raise ValueError(f"directions: expected [k, d_model], found {list(self.directions.shape)}")
        if self.targets.ndim not in (1, 2) or self.targets.shape[-1] != k:
            raise ValueError(f"targets: expected [{k}] or [rows, {k}], found {list(self.targets.shape)}")
        if self.columns is None and self.operation != "add":
            raise ValueError(f"columns: expected a reader for {self.operation}, found none")
        if not (self.directions.norm(dim=1) > 0).all() or not torch.isfinite(self.directions).all():
            raise ValueError("directions: expected finite directions with a length, found one without")
        if not torch.isfinite(self.targets).all():
            raise ValueError("targets: expected finite numbers")
        if self.scale is not None and not (torch.isfinite(self.scale) & (self.scale >= 0)).all():
            raise ValueError("scale: expected finite numbers, none below 0")
        if order(self.read_at) > order(self.point):
            raise ValueError(f"reads: expected {self.point} or a place before it, found {self.reads}")
        if self.gate is not None and order(self.gate.reads or self.point) > order(self.point):
            raise ValueError(f"gate: expected one that reads at {self.point} or before it, found {self.gate.reads}")

    @property
    def read_at(self) -> HookPoint:
        return self.reads or self.point


class Steering:
    """While entered, every position that runs through the model is steered. May be entered again and again.

    `max_fraction` caps the whole delta at one place at that fraction of the stream's norm there, position by
    position; None: no cap. WeightsFormat for a hook point that the model lacks or that is no part of the stream.
    """

    def __init__(
        self, model: LanguageModel, interventions: Sequence[Intervention], max_fraction: float | None = 1.0
    ) -> None:
        self._model = model
        groups: dict[HookPoint, list[Intervention]] = {}
        for each in interventions:
            groups.setdefault(_in_stream(model, each.point), []).append(each)
        self._read: dict[HookPoint, Tensor] = {}
        self._writers = {
            point: PointWriter(point, group, self._read, model.device, max_fraction) for point, group in groups.items()
        }
        self._elsewhere = {point for writer in self._writers.values() for point in writer.elsewhere}
        self._points = self._elsewhere | set(groups)
        self._layers = {point.layer for point in self._points}
        # In the order in which a token passes them. What is read there is what was made of it there.
        self._hooks = sorted(
            [(order(point), 0, point) for point in groups] + [(order(point), 1, point) for point in self._elsewhere]
        )
        self._entered = ExitStack()

    def damp(self, factors: Tensor | None) -> None:
        """From now on each row's delta is multiplied by its factor [rows]; None: by 1."""
        for writer in self._writers.values():
            writer.factors = None if factors is None else factors.to(self._model.device).reshape(-1, 1, 1)

    @property
    def in_stream(self) -> bool:
        """Whether all that it reads and writes is the residual stream between attention and MLP, so that `passes` does
        all of it."""
        return all(point.site in _STREAM for _, _, point in self._hooks)

    def acts_in(self, layer: int) -> bool:
        """Whether it reads or writes anything in that block, before it or after it."""
        return layer in self._layers

    def acts_at(self, point: HookPoint) -> bool:
        """Whether it reads or writes anything there."""
        return point in self._points

    def passes(self, point: HookPoint, stream: Tensor) -> Tensor:
        """What goes on from `point` of what comes there [rows, n, d_model], for whoever runs the blocks himself: called
        at every point of the stream in the order in which a token passes them."""
        if point not in self._points:
            return stream
        writer = self._writers.get(point)
        if writer is not None:
            stream = writer.steered(stream)
        if point in self._elsewhere:
            self._read[point] = stream
        return stream

    def __enter__(self) -> Steering:
        with ExitStack() as stack:
            for _, is_read, point in self._hooks:
                if is_read:
                    stack.enter_context(self._model.sites.captured([point], self._read))
                else:
                    stack.enter_context(self._model.sites.added(point, self._writers[point].delta))
            self._entered = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._entered.close()
        self._read.clear()


def _in_stream(model: LanguageModel, point: HookPoint) -> HookPoint:
    found = model.sites.stream(point)
    if found is None:
        raise WeightsFormat(f"{model.name}: {point}: expected a place whose value is added to the residual stream")
    return found


def steering(model: LanguageModel, interventions: Sequence[Intervention], max_fraction: float | None = 1.0) -> Steering:
    """`with steering(model, interventions): ...` steers what runs inside."""
    return Steering(model, interventions, max_fraction)
