"""Which features of a stretch are worth telling: rare in the reference corpus, and a large part of the stretch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from undersong.assist.salience import RARE_ENOUGH, SHARE_WEIGHT
from undersong.engine.loading import Dictionary

RESOLUTION = 1e-3
"""Keeps the logarithm finite: the reference's upper tail ends at 1 - RESOLUTION or so."""


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """`values`: strength over the stretch, `peaks`: largest activation in it; both [d_sae]."""

    values: torch.Tensor
    peaks: torch.Tensor


@dataclass(frozen=True, slots=True)
class Ranked:
    """`share`: of all that the SAE reads in the stretch; `score`: what `ranked` orders by."""

    index: int
    presence: float
    value: float
    peak: float
    share: float
    score: float


def ranked(dictionary: Dictionary, tally: Tally, limit: int, watched: Sequence[int]) -> list[Ranked]:
    """The `limit` shown features with the highest score, then the watched ones that are not among them.

    Which of these a writer sees is decided by assist/salience.py, which knows the rest of the draft; this only has to
    leave out what it would not choose.
    """
    shown = ((tally.values > 0) & dictionary.shown).nonzero()[:, 0]
    asked = torch.tensor(sorted(set(watched)), dtype=torch.long)
    features = torch.cat([shown, asked])
    values = tally.values[features]
    presence = dictionary.reference.presence(features, values)
    shares = values / tally.values.sum().clamp(min=1e-9)
    scores = torch.log10(1 / (1 - presence + RESOLUTION)).clamp(max=RARE_ENOUGH) + SHARE_WEIGHT * shares
    top = scores[: len(shown)].topk(min(limit, len(shown))).indices.tolist()
    known = set(features[top].tolist())
    rows = [*top, *(n for n in range(len(shown), len(features)) if int(features[n]) not in known)]
    columns = (features[rows], presence[rows], values[rows], tally.peaks[features[rows]], shares[rows], scores[rows])
    return [Ranked(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
