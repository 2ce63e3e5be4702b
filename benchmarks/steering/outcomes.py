"""What steering did to the texts of one theme, against the unsteered ones, and over all themes."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.steering.ratios import Ratio, compared, perplexity_ratio, rate_ratio
from benchmarks.steering.texts import Written, nats_per_token, presences
from benchmarks.steering.themes import Theme, count, distinct_bigrams, unnamed, words
from undersong.engine.steering import Turned
from undersong.wire import Dose

ENOUGH = 3.0
"""The scoring words must come this many times as often as in unsteered text."""


@dataclass(frozen=True, slots=True)
class Level:
    """Figures of one set of texts; means but for the rates.

    `score_rate`, `find_rate`: words of the theme's halves in 100 words. `presence`: of the feature, read unsteered.
    `nats`: a token, under the unsteered model. `moved`: how many nats a token more the model that wrote them gives
    their tokens than the unsteered one does. `distinct_bigrams`: within each text.
    """

    score_rate: float
    find_rate: float
    presence: float
    nats: float
    moved: float
    distinct_bigrams: float
    n_words: int
    n_texts: int


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of steering: its texts, and ratios of theirs to the unsteered texts' (rates, perplexity)."""

    level: Level
    score: Ratio
    find: Ratio
    perplexity: Ratio


@dataclass(frozen=True, slots=True)
class Found:
    """The feature that a search for the theme finds first among those that may steer. `rank`: of the hit, from 1.

    `words`: what else it is found by.
    """

    feature: str
    name: str
    words: str
    rank: int
    steers: bool | None
    dose: Dose


@dataclass(frozen=True, slots=True)
class Outcome:
    """A theme that could be steered toward. `shuffled`: the texts at strength 1 by the words of another theme.

    `unnamed`: the texts at strength 1 by the scoring words that stand neither in the feature's name nor among the words
    it is found by; None where all of them do.
    """

    theme: str
    found: Found
    unsteered: Level
    steered: dict[str, Arm]
    random: Arm
    shuffled_theme: str
    shuffled: Ratio
    unnamed: Ratio | None


@dataclass(frozen=True, slots=True)
class Failure:
    """A theme for which no feature was found, or none that can be turned."""

    theme: str
    reason: str


@dataclass(frozen=True, slots=True)
class Peer:
    """Medians over the themes steered; `reached`: on how many the scoring rate is ENOUGH times the unsteered one.

    `reached_surely`: on how many of those the whole interval is above 1, that is, hardly chance.
    """

    reached: int
    reached_surely: int
    score: float
    perplexity: float | None


@dataclass(frozen=True, slots=True)
class Verdict:
    n_themes: int
    n_failed: int
    peers: dict[str, Peer]
    median_presence_before: float
    median_presence_after: float


def outcome(
    theme: Theme,
    other: Theme,
    found: Found,
    feature: Turned,
    base: Sequence[Written],
    at: dict[float, list[Written]],
    astray: Sequence[Written],
) -> Outcome:
    own = unnamed(theme, f"{found.name} {found.words}").score
    return Outcome(
        theme=theme.name,
        found=found,
        unsteered=_level(theme, feature, base),
        steered={f"{strength:g}": _arm(theme, feature, texts, base) for strength, texts in at.items()},
        random=_arm(theme, feature, astray, base),
        shuffled_theme=other.name,
        shuffled=compared(rate_ratio, _hits(at[1.0], other.score), _hits(base, other.score)),
        unnamed=compared(rate_ratio, _hits(at[1.0], own), _hits(base, own)) if own else None,
    )


def verdict(outcomes: Sequence[Outcome], failures: Sequence[Failure]) -> Verdict | None:
    """None where no theme could be steered toward."""
    if not outcomes:
        return None
    arms: dict[str, Callable[[Outcome], Arm]] = {
        **{f"strength {name}": lambda each, name=name: each.steered[name] for name in outcomes[0].steered},
        "random directions": lambda each: each.random,
    }
    peers = {
        name: _peer([arm(each).score for each in outcomes], [arm(each).perplexity for each in outcomes])
        for name, arm in arms.items()
    }
    full = [each.steered["1"].level.presence for each in outcomes]
    return Verdict(
        n_themes=len(outcomes) + len(failures),
        n_failed=len(failures),
        peers={
            **peers,
            "strength 1, words it is not named by": _peer([each.unnamed for each in outcomes if each.unnamed], []),
            "another theme's words": _peer([each.shuffled for each in outcomes], []),
        },
        median_presence_before=statistics.median(each.unsteered.presence for each in outcomes),
        median_presence_after=statistics.median(full),
    )


def _peer(scores: Sequence[Ratio], perplexities: Sequence[Ratio]) -> Peer:
    return Peer(
        reached=sum(each.value >= ENOUGH for each in scores),
        reached_surely=sum(each.value >= ENOUGH and each.low > 1 for each in scores),
        score=statistics.median(each.value for each in scores) if scores else 0.0,
        perplexity=statistics.median(each.value for each in perplexities) if perplexities else None,
    )


def _arm(theme: Theme, feature: Turned, texts: Sequence[Written], base: Sequence[Written]) -> Arm:
    return Arm(
        level=_level(theme, feature, texts),
        score=compared(rate_ratio, _hits(texts, theme.score), _hits(base, theme.score)),
        find=compared(rate_ratio, _hits(texts, theme.find), _hits(base, theme.find)),
        perplexity=compared(perplexity_ratio, _logprobs(texts), _logprobs(base)),
    )


def _level(theme: Theme, feature: Turned, texts: Sequence[Written]) -> Level:
    score, find = _hits(texts, theme.score).sum(dim=0).tolist(), _hits(texts, theme.find).sum(dim=0).tolist()
    logprob, n_tokens = _logprobs(texts).sum(dim=0).tolist()
    own = statistics.fmean(text.own_logprob for text in texts)
    return Level(
        score_rate=100 * score[0] / score[1],
        find_rate=100 * find[0] / find[1],
        presence=float(presences(feature, texts).mean()),
        nats=nats_per_token(texts),
        moved=own - logprob / n_tokens,
        distinct_bigrams=statistics.fmean(distinct_bigrams(words(text.text)) for text in texts),
        n_words=int(score[1]),
        n_texts=len(texts),
    )


def _hits(texts: Sequence[Written], vocabulary: frozenset[str]) -> Tensor:
    """[n_texts, 2]: words of the vocabulary, all words."""
    found = [words(text.text) for text in texts]
    return torch.tensor([[count(each, vocabulary), len(each)] for each in found], dtype=torch.float64)


def _logprobs(texts: Sequence[Written]) -> Tensor:
    """[n_texts, 2]: log probability under the unsteered model in nats, tokens."""
    pairs = [((text.measured.logprob or 0.0) * text.measured.n_tokens, text.measured.n_tokens) for text in texts]
    return torch.tensor(pairs, dtype=torch.float64)
