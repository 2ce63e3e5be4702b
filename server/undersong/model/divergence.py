"""How far steering moves the model: Kullback-Leibler divergence per token, in nats. What a dose is calibrated by."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from undersong.model.interventions import Intervention, Steering
from undersong.model.language_model import LanguageModel
from undersong.model.prefixes import after_prefixes
from undersong.model.sampling import Sampler, banned_bias, choose
from undersong.model.steps import after_cache, alone


@dataclass(frozen=True, slots=True, eq=False)
class Divergence:
    """`kl` [rows, tokens]: KL(steered || unsteered) at each token written, in nats; `ids` what was written."""

    kl: Tensor
    ids: list[list[int]]


def kl_per_token(steered_logits: Tensor, base_logits: Tensor) -> Tensor:
    """KL(steered || base) in nats [...] of two sets of logits [..., vocab]."""
    steered = steered_logits.to(torch.float32).log_softmax(dim=-1)
    base = base_logits.to(torch.float32).log_softmax(dim=-1)
    return (steered.exp() * (steered - base)).sum(dim=-1).clamp_min(0.0)


@dataclass(frozen=True, slots=True, eq=False)
class DivergenceStep:
    """One token a row: `kl` [rows] in nats, `ids` the tokens chosen from the steered model."""

    kl: Tensor
    ids: list[int]


def divergence_steps(
    model: LanguageModel,
    openings: Sequence[Sequence[int]],
    interventions: Sequence[Intervention],
    samplers: Sequence[Sampler],
    *,
    max_tokens: int,
    max_fraction: float | None = 1.0,
    banned: Collection[int] = (),
) -> Iterator[DivergenceStep]:
    """Steered text after each of `openings`, a token a step, and how far steering moved the model there.

    Openings are equally long, at least one token. Each row has a twin in the same batch that is fed the same tokens
    unsteered; their logits are compared. Steering acts as it does in Generation: at the last position of the opening,
    then at what is written. A row's strength is its scale or targets.
    """
    rows, length = len(openings), len(openings[0])
    if length < 1 or any(len(opening) != length for opening in openings) or len(samplers) != rows:
        raise ValueError("divergence: expected openings of one length, at least 1, and a sampler for each")
    bias = banned_bias(model, banned)
    steering = Steering(model, [with_twins(each, rows, rows) for each in interventions], max_fraction)
    with torch.inference_mode():
        # Rows to be steered, then their twins.
        picked = torch.arange(2 * rows, device=model.device) % rows
        steps = after_cache(model, after_prefixes(model, [opening[:-1] for opening in openings], picked))(steering)
    fed = [opening[-1] for opening in openings]
    for _ in range(min(max_tokens, model.context - length + 1)):
        with torch.inference_mode():
            logits = alone(steps.asked(fed * 2))
            steered, base = logits[:rows], logits[rows:]
            fed = choose(steered if bias is None else steered + bias, samplers)
            step = DivergenceStep(kl_per_token(steered, base), fed)
        yield step


def steered_divergence(
    model: LanguageModel,
    openings: Sequence[Sequence[int]],
    interventions: Sequence[Intervention],
    samplers: Sequence[Sampler],
    *,
    max_tokens: int,
    max_fraction: float | None = 1.0,
    banned: Collection[int] = (),
) -> Divergence:
    """All of `divergence_steps` at once."""
    steps = list(
        divergence_steps(
            model, openings, interventions, samplers, max_tokens=max_tokens, max_fraction=max_fraction, banned=banned
        )
    )
    if not steps:
        return Divergence(torch.empty((len(openings), 0)), [[] for _ in openings])
    ids = [list(written) for written in zip(*(step.ids for step in steps), strict=True)]
    return Divergence(torch.stack([step.kl for step in steps], dim=1), ids)


def with_twins(intervention: Intervention, rows: int, twins: int) -> Intervention:
    """The same for a batch of `rows`, to which `twins` more are added that it leaves alone."""
    scale = torch.ones(rows) if intervention.scale is None else intervention.scale.expand(rows)
    targets = intervention.targets
    if targets.ndim == 2 and len(targets) > 1:
        targets = torch.cat([targets, targets.new_zeros(twins, targets.shape[1])])
    return replace(intervention, scale=torch.cat([scale, scale.new_zeros(twins)]), targets=targets)
