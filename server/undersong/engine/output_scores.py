"""Output scores: whether raising a feature brings out its own tokens, for any model and SAE, many at a time.

A feature's own tokens are the WORDS that its direction promotes most through the model's final norm and unembedding
(the logit lens). The feature is amplified at the last token of neutral openings, to AMPLIFIED times the largest
activation known of it and, as whenever we steer, by no more than the norm of the stream there. With its own tokens'
best rank r and largest probability p among the V next tokens,

    output score = (1 - r / V) * p            (mean over the openings; Arad et al. 2025)

and the second score is the change of the model's confidence, the probability of its likeliest token.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from undersong.catalogue.scores import Score
from undersong.engine.calibration import equal_openings
from undersong.engine.loading import Loaded
from undersong.engine.steering import Turned
from undersong.model.interventions import Intervention, Steering
from undersong.model.prefixes import after_prefixes

WORDS = 20
AMPLIFIED = 10.0
LOGITS_AT_ONCE = 1 << 24
"""Numbers of logits in one batch: 64 MB in float32."""
READS_ONLY = 0.01
"""A feature whose output score is below this reads, does not steer (Arad et al. leave those out)."""


def output_scores(loaded: Loaded, features: Sequence[Turned]) -> Generator[None, None, list[Score]]:
    """Steps, one a batch; returns the scores of `features`, which may be of several dictionaries."""
    model = loaded.model
    openings = equal_openings(loaded)
    each = max(1, LOGITS_AT_ONCE // (model.vocab_size * len(openings)))
    base = _next(loaded, openings, 1, None)[:, 0].softmax(dim=-1).amax(dim=-1)
    found: dict[int, Score] = {}
    for name in dict.fromkeys(feature.dictionary.sae.id for feature in features):
        here = [n for n, feature in enumerate(features) if feature.dictionary.sae.id == name]
        for at in range(0, len(here), each):
            batch = here[at : at + each]
            found |= zip(batch, _scored(loaded, openings, [features[n] for n in batch], base), strict=True)
            yield None
    return [found[n] for n in range(len(features))]


def own_tokens(loaded: Loaded, directions: Tensor) -> Tensor:
    """[k, WORDS]: the tokens that directions [k, d_model] promote most, the most first."""
    # What the norm and the head add to whatever passes says nothing of a direction.
    lens = loaded.model.unembed(directions) - loaded.model.unembed(torch.zeros_like(directions[:1]))
    return lens.float().topk(min(WORDS, loaded.model.vocab_size), dim=-1).indices


def _scored(loaded: Loaded, openings: list[list[int]], features: Sequence[Turned], base: Tensor) -> list[Score]:
    """Of features of one dictionary. `base` [openings]: the unsteered model's confidence."""
    dictionary = features[0].dictionary
    indices = [feature.index for feature in features]
    directions = dictionary.directions(indices).float()
    if not directions.any(dim=1).all():
        # Those without a length cannot be raised.
        moving = [n for n in range(len(features)) if directions[n].any()]
        some = _scored(loaded, openings, [features[n] for n in moving], base) if moving else []
        scores = dict(zip(moving, some, strict=True))
        return [scores.get(n, Score(0.0, 0.0)) for n in range(len(features))]
    largest = dictionary.reference.maximum[indices].to(directions.device)
    # One that the reference never saw is raised as far as the norm allows.
    size = torch.where(largest > 0, AMPLIFIED * largest, 1e6 / directions.norm(dim=1))
    sae = dictionary.sae
    rows = torch.arange(len(features)).repeat_interleave(len(openings))
    pushed = Intervention(
        point=sae.config.point_out,
        operation="add",
        directions=directions,
        targets=torch.diag(size)[rows],
        reads=sae.config.point,
        unit=None if sae.config.normalization == "none" else sae.unit,
    )
    logits = _next(loaded, openings, len(features), pushed)  # [openings, k, vocab]
    probabilities = logits.softmax(dim=-1)
    own = own_tokens(loaded, directions).expand(len(openings), -1, -1)
    best = logits.gather(2, own).amax(dim=-1, keepdim=True)
    rank = (logits > best).sum(dim=-1)
    likeliest = probabilities.gather(2, own).amax(dim=-1)
    score = ((1 - rank / logits.shape[-1]) * likeliest).mean(dim=0)
    change = (probabilities.amax(dim=-1) - base[:, None]).mean(dim=0)
    return [Score(round(a, 4), round(b, 4)) for a, b in zip(score.tolist(), change.tolist(), strict=True)]


@torch.inference_mode()
def _next(loaded: Loaded, openings: list[list[int]], times: int, pushed: Intervention | None) -> Tensor:
    """Logits [openings, times, vocab] float32 after each opening, in rows that go through all openings again and again;
    only the last token is steered."""
    model = loaded.model
    picked = torch.arange(times * len(openings), device=model.device) % len(openings)
    cache = after_prefixes(model, [opening[:-1] for opening in openings], picked)
    ids = model.tensor([[opening[-1]] for _ in range(times) for opening in openings])
    with Steering(model, [] if pushed is None else [pushed]):
        logits = model.logits(ids, cache)[:, -1].float()
    return logits.reshape(times, len(openings), -1).transpose(0, 1)
