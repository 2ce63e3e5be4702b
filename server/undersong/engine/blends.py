"""Find what a set of texts carries more of than the reference corpus, and than other texts: the makings of a voice.

A feature's surprise in a paragraph is how many orders of magnitude its presence is past the ORDINARY one, 0.9, up to
RARE_ENOUGH. Below that presence says as much of a paragraph's length as of what it is about: a long one holds most
common words. Paragraphs count equally, as those of the reference do, and those of a few tokens are left out, as there.

1. Its mean over the samples is held against what the reference corpus would give (known from the feature's quantiles:
   where it is active at all, its presence is evenly spread), and against its mean in the other texts, whichever is
   more.
2. The contrast counts from its lower confidence bound: little text, or one striking paragraph, does not make a voice.
3. Of the features that steer, or may, the largest bounds are kept; one whose direction is nearly that of a kept one is
   left out. The bounds are the weights, scaled so that their squares add up to 1: KL grows with the square of the
   dose, so that strength 1 of all together is about one dose where their directions have little in common.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch

from undersong.assist.salience import RARE_ENOUGH
from undersong.engine.bulk import BulkReader, Carried, weights_fingerprint
from undersong.engine.loading import Dictionary, Loaded
from undersong.engine.memory import Memory
from undersong.engine.presence import Reference
from undersong.engine.ranking import RESOLUTION
from undersong.errors import BadInput
from undersong.wire import Blend, BlendPart, BlendRequest, WriteProgress

MOST_PARTS = 24
CERTAINTY = 2.0
"""Standard errors between a contrast and its lower bound; of some hundred features few pass by chance."""
PRIOR_VARIANCE, PRIOR_PARAGRAPHS = 0.024, 4.0
"""The variance of surprise in the reference corpus, counted as that of so many paragraphs."""
ORDINARY = 1.0
"""-log10(1 - presence) up to which a feature is nothing out of the ordinary."""
FEWEST = 8
"""Tokens of a paragraph that counts."""
ALIKE = 0.7
"""Cosine of two directions past which one of them is enough."""
LEAST_SHARE = 0.15
"""Of the largest weight: what is below that is left out."""


class Sums:
    """Of one dictionary over `n` paragraphs: sums of surprise, its square and presence, each [d_sae]."""

    def __init__(self, d_sae: int) -> None:
        self.surprise, self.squares, self.presence = (torch.zeros(d_sae, dtype=torch.float64) for _ in range(3))
        self.n = 0

    def add(self, surprise: torch.Tensor, presence: torch.Tensor) -> None:
        self.surprise += surprise
        self.squares += surprise * surprise
        self.presence += presence
        self.n += 1

    @property
    def mean(self) -> torch.Tensor:
        return self.surprise / max(self.n, 1)

    @property
    def mean_presence(self) -> torch.Tensor:
        return self.presence / max(self.n, 1)

    @property
    def error(self) -> torch.Tensor:
        """Variance of the mean, drawn towards that of PRIOR_PARAGRAPHS ordinary paragraphs."""
        n = max(self.n, 1)
        variance = (self.squares / n - self.mean**2).clamp(min=0)
        return (n * variance + PRIOR_PARAGRAPHS * PRIOR_VARIANCE) / (n + PRIOR_PARAGRAPHS) / n


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """`bound`: the lower bound of its contrast."""

    dictionary: Dictionary
    index: int
    bound: float
    presence: float
    against: float | None

    @property
    def id(self) -> str:
        return f"{self.dictionary.sae.id}.{self.index}"


def find_blend(
    loaded: Loaded, request: BlendRequest, memory: Memory | None = None
) -> Generator[WriteProgress | None, None, Blend]:
    """Steps; returns what was found. Raises BadInput where there is too little text, or nothing stands out."""
    if not 1 <= request.limit <= MOST_PARTS:
        raise BadInput(f"limit: expected 1 to {MOST_PARTS}, found {request.limit}")
    total = sum(map(len, (*request.samples, *request.against)))
    samples = yield from _summed(BulkReader(loaded, memory), loaded, request.samples, 0, total)
    against = None
    if request.against:
        done = total - sum(map(len, request.against))
        against = yield from _summed(BulkReader(loaded, memory), loaded, request.against, done, total)
    candidates = [one for d in loaded.reading for one in _candidates(loaded, d, samples, against)]
    chosen = _different(sorted(candidates, key=lambda one: (-one.bound, one.id)), request.limit)
    if not chosen:
        what = "the reference corpus and the text they are held against" if against else "the reference corpus"
        raise BadInput(f"nothing that steers stands out in these samples from {what}; more text may help")
    length = math.hypot(*(one.bound for one in chosen))
    parts = [BlendPart(one.id, loaded.name(one.id), one.bound / length, one.presence, one.against) for one in chosen]
    return Blend(tuple(parts), loaded.model.name, weights_fingerprint(loaded))


def _summed(
    reader: BulkReader, loaded: Loaded, texts: Sequence[Sequence[str]], done: int, total: int
) -> Generator[WriteProgress | None, None, dict[str, Sums]]:
    sums = {d.sae.id: Sums(d.sae.d_sae) for d in loaded.reading}
    for text in texts:
        for carried in reader.read(text):
            if carried is None:
                yield None
                continue
            _add(loaded, sums, carried)
            done += 1
            yield WriteProgress("read", done, total)
    if not any(one.n for one in sums.values()):
        raise BadInput("expected some paragraphs of prose, found none")
    return sums


def _add(loaded: Loaded, sums: dict[str, Sums], carried: Carried) -> None:
    if carried.n_tokens < FEWEST:
        return
    for dictionary in loaded.reading:
        presence = all_presence(dictionary, carried)
        sums[dictionary.sae.id].add(surprise_of(presence).double(), presence.double())


def all_presence(dictionary: Dictionary, carried: Carried) -> torch.Tensor:
    """[d_sae]: presence of every feature."""
    values = carried.tallies[dictionary.sae.id].values
    present = (values > 0).nonzero()[:, 0]
    presence = torch.zeros(dictionary.sae.d_sae)
    presence[present] = dictionary.reference.presence(present, values[present]).float()
    return presence


def surprise_of(presence: torch.Tensor) -> torch.Tensor:
    return torch.log10(1 / (1 - presence + RESOLUTION)).clamp(ORDINARY, RARE_ENOUGH) - ORDINARY


def expected_surprise(reference: Reference) -> torch.Tensor:
    """[d_sae]: the mean over the reference corpus. In the share of it in which a feature is active, 1 - presence is
    evenly spread from 0 to that share; the quantiles say between which levels it lies, and the middle is taken."""
    levels = reference.levels.double()
    first = (reference.quantiles > 0).double().argmax(dim=1)
    never = ~(reference.quantiles > 0).any(dim=1)
    below = torch.cat([torch.zeros(1, dtype=torch.float64), levels])[first]
    active = torch.where(never, 0.0, 1 - (below + levels[first]) / 2)
    active = torch.where(first == 0, 1.0, active)
    rare = 10.0**-RARE_ENOUGH
    past = active.clamp(max=10.0**-ORDINARY)
    spread = -past * torch.log10(past.clamp(min=rare)) - ORDINARY * past + (past - rare) / math.log(10)
    return torch.where(past > rare, spread, (RARE_ENOUGH - ORDINARY) * past)


def _candidates(
    loaded: Loaded, dictionary: Dictionary, samples: dict[str, Sums], against: dict[str, Sums] | None
) -> list[Candidate]:
    """The features of one dictionary whose contrast is above 0 for certain, and that steer or may."""
    if "steer" not in dictionary.roles:
        return []
    name = dictionary.sae.id
    here = samples[name]
    bound = here.mean - expected_surprise(dictionary.reference) - CERTAINTY * here.error.sqrt()
    other = None
    if against is not None:
        there = against[name]
        bound = torch.minimum(bound, here.mean - there.mean - CERTAINTY * (here.error + there.error).sqrt())
        other = there.mean_presence
    found: list[Candidate] = []
    for index in ((bound > 0) & dictionary.shown).nonzero()[:, 0].tolist():
        if loaded.steers.get(f"{name}.{index}") is False or not dictionary.directions([index]).any():
            continue
        elsewhere = None if other is None else round(float(other[index]), 3)
        found.append(
            Candidate(dictionary, index, float(bound[index]), round(float(here.mean_presence[index]), 3), elsewhere)
        )
    return found


def _different(candidates: Sequence[Candidate], limit: int) -> list[Candidate]:
    """The first `limit`, without those nearly alike one before them, and without the faint."""
    kept: list[tuple[Candidate, torch.Tensor]] = []
    for one in candidates:
        if len(kept) == limit or (kept and one.bound < LEAST_SHARE * kept[0][0].bound):
            break
        direction = torch.nn.functional.normalize(one.dictionary.directions([one.index])[0].float().cpu(), dim=0)
        place = one.dictionary.sae.config.point_out
        near = (
            float(direction @ other)
            for before, other in kept
            if before.dictionary.sae.config.point_out == place and len(other) == len(direction)
        )
        if not any(cosine > ALIKE for cosine in near):
            kept.append((one, direction))
    return [one for one, _ in kept]
