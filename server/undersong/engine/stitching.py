"""Stitching two SAEs on one model: their kinship on real text, and what the stitched ones are worth beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.engine.subject import ModelSubject
from undersong.errors import BadInput, BadText
from undersong.model.language_model import LanguageModel
from undersong.sae.base import SAE
from undersong.sae.evaluation.logistic import auc
from undersong.sae.evaluation.measure import Measured, measure
from undersong.sae.evaluation.stitch import (
    EffectMeter,
    Kinship,
    added,
    check_pair,
    check_separable,
    stitched,
    swapped,
)
from undersong.sae.evaluation.subject import counted

FITTED_ON = 20_000
"""Tokens that the bias of a stitched SAE is fitted on, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Stitched:
    """`saes` and `figures` by name: A, B, added (A, and what is new in B and helps), swapped (B, and what of A nothing
    in it refines); A and B alone where the two have no stitched form, and `unstitched` says why.

    `auc`: how well similarity tells the features that lower A's error from those that do not; 1: those are always the
    less similar.
    """

    kinship: Kinship
    auc: float | None
    saes: Mapping[str, SAE]
    figures: Mapping[str, Mapping[str, float | None]]
    unstitched: str | None = None


def stitch(
    model: LanguageModel,
    a: SAE,
    b: SAE,
    texts: Iterable[str],
    tokens: int,
    context: int,
    batch: int,
    threshold: float,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Stitched:
    """Half of `tokens` tell kinship and fit, the other half judges. BadInput for SAEs of two places, or of passages."""
    check_pair(a, b)
    if a.grain == "passage":
        raise BadInput("stitch: expected SAEs that read tokens, found dictionaries of passages")
    subject = ModelSubject(model, a)
    rows = list(subject.windows(texts, min(context, model.context), tokens))
    if len(rows) < 2:
        raise BadText(f"stitch: expected text of at least {2 * context} tokens, found less")
    # Rows by turns: both halves come from everywhere.
    fit, judge = (list(torch.stack(rows[half::2]).split(batch)) for half in (0, 1))

    meter = EffectMeter(a, b)
    reads: list[Tensor] = []
    holds: list[Tensor] = []
    kept = 0
    for number, ids in enumerate(fit):
        progress("kinship", number, len(fit))
        seen, keep = subject.seen(ids), counted(ids, subject.special_ids)
        read, held = seen.read[keep].to(a.device), seen.held[keep].to(a.device)
        meter.add(read, held)
        if kept < FITTED_ON:
            reads.append(read)
            holds.append(held)
            kept += len(read)
    kinship = meter.kinship()

    saes: dict[str, SAE] = {"A": a, "B": b}
    unstitched = None
    try:
        check_separable(a, b)
    except BadInput as error:
        unstitched = error.message
    else:
        for name, choose in (("added", added), ("swapped", swapped)):
            saes[name] = stitched(a, b, *choose(a, b, kinship, threshold), torch.cat(reads), torch.cat(holds), name)
    figures: dict[str, dict[str, float | None]] = {}
    for number, (name, sae) in enumerate(saes.items()):
        progress("judging", number, len(saes))
        figures[name] = _figures(sae, measure(sae, ModelSubject(model, sae), judge))
    progress("judging", len(saes), len(saes))
    return Stitched(kinship, _auc(kinship), saes, figures, unstitched)


def _figures(sae: SAE, measured: Measured) -> dict[str, float | None]:
    return {
        "features": float(sae.d_sae),
        "l0": measured.fidelity.l0.value,
        "explained_variance": measured.fidelity.explained_variance.value,
        "mse": measured.fidelity.mse.value,
        "ce_loss_score": measured.behaviour.ce_loss_score.value if measured.behaviour else None,
    }


def _auc(kinship: Kinship) -> float | None:
    live = kinship.density > 0
    helps = kinship.effect < 0
    found = auc(-kinship.similarity[live & helps], -kinship.similarity[live & ~helps])
    return None if found != found else found
