"""A transformers model as training sees it: what passes at hook points, and SAEs set up for the widths found there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from undersong.errors import BadInput
from undersong.hook_points import HookPoint
from undersong.model.blocks import skipped
from undersong.model.language_model import LanguageModel
from undersong.model.tokens import encode
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig, CrossLayerObjective
from undersong.sae.architectures.crosscoder import CrosscoderObjective
from undersong.sae.config import SAEConfig
from undersong.sae.learning import Objective, Sizes
from undersong.sae.training.activations import Read, Tokenize
from undersong.sae.training.distributed import Group
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.trainer import Job
from undersong.sae.writing import write_clt, write_saelens


@dataclass(frozen=True, slots=True)
class Reach:
    """What one SAE is trained on: what it reads, and what it rebuilds where that is another place."""

    inputs: tuple[HookPoint, ...]
    outputs: tuple[HookPoint, ...] | None = None

    @property
    def points(self) -> tuple[HookPoint, ...]:
        return self.inputs + (self.outputs or ())

    @property
    def name(self) -> str:
        """A folder's name."""
        read = "+".join(map(str, self.inputs))
        return read if self.outputs is None else f"{read}--{'+'.join(map(str, self.outputs))}"


def reader(model: LanguageModel, points: Sequence[HookPoint]) -> Read:
    """Token ids [rows, n] -> what passes at `points` [rows, n, d]. Blocks after the last of them are not run.

    WeightsFormat where the model lacks one.
    """
    for point in points:
        model.sites.place(point)
    beyond = range(max(point.layer for point in points) + 1, model.n_layers)

    def read(ids: Tensor) -> Mapping[HookPoint, Tensor]:
        with torch.inference_mode(), model.sites.captured(points) as found, skipped(model.blocks, beyond):
            model.body(input_ids=ids.to(model.device), use_cache=False)
        # What inference mode makes cannot be trained on; a copy made outside of it can.
        return {point: found[point].clone() for point in points}

    return read


def tokenizer(model: LanguageModel) -> Tokenize:
    return lambda text: encode(model.tokenizer, text).ids


def jobs(
    reaches: Sequence[Reach],
    objective: Objective,
    d_sae: int,
    found: Mapping[HookPoint, int],
    plan: LearnerPlan,
    device: torch.device,
    group: Group | None = None,
) -> list[Job]:
    """One job a reach, each with a seed of its own. BadInput where an objective cannot be trained there."""
    names = [reach.name for reach in reaches]
    if len(set(names)) < len(names):
        raise BadInput(f"train: expected each place once, found {', '.join(names)}")
    made: list[Job] = []
    for number, reach in enumerate(reaches):
        inputs = tuple(found[point] for point in reach.inputs)
        outputs = inputs if reach.outputs is None else tuple(found[point] for point in reach.outputs)
        own = objective
        width = d_sae
        if isinstance(objective, CrosscoderObjective):
            own = replace(objective, parts=inputs)
        elif isinstance(objective, CrossLayerObjective):
            _check_layers(reach)
            own, width = replace(objective, layers=len(inputs)), d_sae * len(inputs)
        elif len(inputs) > 1 or len(outputs) > 1:
            several = max(len(inputs), len(outputs))
            raise BadInput(f"train: {reach.name}: expected one hook point for this architecture, found {several}")
        if own.subtracts and reach.outputs is not None:
            raise BadInput(f"train: {reach.name}: expected a transcoder's architecture where two places are named")
        if not own.subtracts and reach.outputs is None and not isinstance(own, CrosscoderObjective):
            raise BadInput(f"train: {reach.name}: expected a place to rebuild (READ->REBUILD) for a transcoder")
        learner = Learner(
            own, Sizes(inputs, width, outputs), replace(plan, seed=plan.seed + number), device,
            reduce=group.reduce if group else None, processes=group.processes if group else 1,
        )  # fmt: skip
        made.append(Job(reach.name, learner, reach.inputs, reach.outputs))
    return made


def _check_layers(reach: Reach) -> None:
    read, rebuilt = reach.inputs, reach.outputs or ()
    layers = [point.layer for point in read]
    alike = len({point.site for point in read}) == 1 == len({point.site for point in rebuilt})
    if layers != list(range(len(read))) or layers != [point.layer for point in rebuilt] or not alike:
        raise BadInput(
            "train: a cross-layer transcoder reads one site of each block from 0 on and rebuilds one of each: "
            f"expected all of them in order (blocks.0.A,blocks.1.A,...->blocks.0.B,blocks.1.B,...); found {reach.name}"
        )


def write(job: Job, folder: Path, model_name: str, context: int, prepend_bos: bool, facts: Mapping[str, Any]) -> Path:
    """What `job` learnt, as SAELens writes it, in a folder of its name under `folder`."""
    objective, sizes = job.learner.objective, job.learner.sizes
    if isinstance(objective, CrossLayerObjective):
        assert job.outputs is not None
        shape = CLTConfig(
            objective.layers,
            sizes.inputs[0],
            sizes.d_sae // objective.layers,
            sizes.outputs[0],
            job.inputs[0].site,
            job.outputs[0].site,
            model_name,
        )
        return write_clt(folder / "cross_layer_transcoder", shape, job.learner.finished(), facts)
    extras: dict[str, Any] = {}
    if isinstance(objective, CrosscoderObjective):
        sites = [
            {"hook_name": str(point), "width": width} for point, width in zip(job.inputs, sizes.inputs, strict=True)
        ]
        extras["undersong"] = {"sites": sites}
    told = job.learner.told()
    config = SAEConfig(
        architecture=objective.architecture,
        d_in=sizes.d_in,
        d_sae=sizes.d_sae,
        hook_name=str(job.inputs[0]),
        hook_layer=job.inputs[0].layer,
        prepend_bos=prepend_bos,
        context_size=context,
        model_name=model_name,
        published_l0=round(told.l0, 2),
        extras=extras,
        d_out=None if job.outputs is None else sizes.d_out,
        hook_out=None if job.outputs is None else str(job.outputs[0]),
        **objective.stated(),
    )
    measured = {"unexplained": told.unexplained, "l0": told.l0, "dead": told.dead}
    return write_saelens(folder / job.name, config, job.learner.finished(), {**facts, "at_the_end": measured})
