"""All figures of one SAE over batches of tokens, and what is made of them feature by feature."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.sae.base import SAE
from undersong.sae.evaluation.joined import Dictionary
from undersong.sae.evaluation.metrics import Behaviour, BehaviourMeter, FeatureFigures, Fidelity, FidelityMeter
from undersong.sae.evaluation.subject import Subject, counted

DENSE = (0.01, 0.1)
"""Features active on more than this share of tokens: SAEs with many are cheap to explain variance with."""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """`behaviour` is None for dictionaries of passages, which stand for no place in the model.

    `tokens`: how many were counted; passages, of a dictionary of passages.
    `dead`: share of features that never were active in them (10 million are usual; fewer find more dead).
    `dense`: share active on more than DENSE of them.
    """

    fidelity: Fidelity
    behaviour: Behaviour | None
    features: FeatureFigures
    tokens: int
    dead: float
    dense: tuple[float, ...]


def measure(sae: Dictionary, subject: Subject, batches: Iterable[Tensor]) -> Measured:
    """Of `batches` of token ids [n, length], each row a text of its own that begins as the SAE expects (BOS or not)."""
    fidelity, behaviour = FidelityMeter(sae), BehaviourMeter(subject)
    for ids in batches:
        seen = subject.seen(ids)
        rebuilt = fidelity.add(seen.read, seen.held, counted(ids, subject.special_ids))
        behaviour.add(ids, seen, rebuilt)
    return summed_up(fidelity, behaviour)


def measure_inputs(sae: SAE, batches: Iterable[Tensor]) -> Measured:
    """Of `batches` of what a dictionary of passages reads [n, passages, d_in], all of them counted."""
    fidelity = FidelityMeter(sae)
    for read in batches:
        fidelity.add(read, read, torch.ones(read.shape[:2], dtype=torch.bool))
    return summed_up(fidelity, None)


def summed_up(fidelity: FidelityMeter, behaviour: BehaviourMeter | None) -> Measured:
    features = fidelity.features()
    return Measured(
        fidelity=fidelity.figures(),
        behaviour=behaviour.figures() if behaviour else None,
        features=features,
        tokens=fidelity.tokens,
        dead=float((features.density == 0).double().mean()),
        dense=tuple(float((features.density > share).double().mean()) for share in DENSE),
    )
