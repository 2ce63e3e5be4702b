"""Which features of a paragraph are worth showing, and in which order.

    surprise(f)  = -log10(1 - presence), at most 4              0.9 -> 1, 0.99 -> 2, 0.9999 and above -> 4
    share(f)     = how much of all that its SAE reads here f is, 0 to 1
    rest(f)      = mean surprise of f over the other paragraphs read (0 where the engine did not list it)
    contrast(f)  = n / (n + 2) * (surprise(f) - rest(f))        n: how many other paragraphs were read
    salience(f)  = min(surprise(f), 2) + 4 share(f) + contrast(f) / 2 + 1 if f is of the passage grain

Surprise makes features comparable: it is the order of magnitude of how rarely the reference corpus has more of f.
Past one passage in a hundred it no longer tells which feature matters: a rare feature is beyond that as soon as it is
there at all, so from there on the share decides, that is, what the passage is mostly about.
Contrast lowers what the whole draft carries and raises what is this paragraph's own; n / (n + 2) keeps the first
few readings from swinging it. Features of passages (themes, registers; ids begin with "p") get one order of
magnitude, since there are many more token features, mostly of words and grammar, and the largest of many
percentiles is large by chance.

Pinned features come first, in the order of the settings, down to a presence of PIN_FLOOR. Silenced ones are left
out, those under `hints.minimum_presence`, and those whose name says what an earlier one's says already. Which
features may be shown at all (named ones, where the SAE has names) is the engine's to say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from undersong import wire
from undersong.assist.background import Background, Rest, surprise
from undersong.assist.draft import Draft
from undersong.assist.kept import PARAGRAPHS, by_identity
from undersong.assist.pins import listed
from undersong.assist.settings import Settings

RARE_ENOUGH = 2.0
SHARE_WEIGHT = 4.0
PASSAGE_BONUS = 1.0
PIN_FLOOR = 0.1

FILLER = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "into", "its", "of", "on", "or", "the", "to", "with")
)


@dataclass(frozen=True, slots=True)
class Salient:
    reading: wire.FeatureReading
    salience: float
    pinned: bool


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feature that may be shown, and what of its salience rests on its own stretch of text alone.

    alone: salience without contrast; words: those of its name
    """

    reading: wire.FeatureReading
    feature: str
    surprise: float
    alone: float
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Of one stretch of text: the pinned ones in the order of the settings, the others as they were read."""

    pinned: tuple[Candidate, ...]
    others: tuple[Candidate, ...]


def salient(draft: Draft, index: int, limit: int, background: Background | None = None) -> tuple[Salient, ...]:
    """At most `limit` features of one paragraph, what to show first first; empty where it was never read."""
    held = draft.readings.at(index)
    if held is None:
        return ()
    return _salient(held.reading.features, draft.settings, background or Background.of(draft.readings), limit)


def steerable(draft: Draft, index: int, limit: int, background: Background | None = None) -> tuple[Salient, ...]:
    """The same, of the features that may steer.

    What only reads is left out before names are compared, so that it hides no feature of a like name that steers.
    """
    held = draft.readings.at(index)
    if held is None:
        return ()
    features = held.reading.features
    rest = (background or Background.of(draft.readings)).without(features)
    return chosen(_steering(features), draft.settings, limit, rest)


@by_identity(PARAGRAPHS)
def _steering(features: tuple[wire.FeatureReading, ...]) -> tuple[wire.FeatureReading, ...]:
    return tuple(feature for feature in features if feature.steers is not False)


@by_identity(PARAGRAPHS)
def _salient(
    features: tuple[wire.FeatureReading, ...], settings: Settings, background: Background, limit: int
) -> tuple[Salient, ...]:
    return chosen(features, settings, limit, background.without(features))


def chosen(
    features: tuple[wire.FeatureReading, ...], settings: Settings, limit: int, rest: Rest
) -> tuple[Salient, ...]:
    """The same for the features of any stretch of text, a sentence for one.

    What depends on the stretch alone is kept with it, so of a draft that is drawn again after a reply of the engine
    only the contrast with the rest is computed anew.
    """
    candidates = _candidates(features, settings)
    picked = [Salient(one.reading, value, pinned=True) for value, one in _ranked(candidates.pinned, rest)]
    taken = [one.words for one in candidates.pinned]
    if len(picked) < limit:
        for value, one in sorted(_ranked(candidates.others, rest), key=_first_by_salience):
            if any(alike(one.words, other) for other in taken):
                continue
            taken.append(one.words)
            picked.append(Salient(one.reading, value, pinned=False))
            if len(picked) >= limit:
                break
    return tuple(picked[:limit])


def _ranked(candidates: tuple[Candidate, ...], rest: Rest) -> list[tuple[float, Candidate]]:
    weight = rest.weight
    return [(one.alone + weight * (one.surprise - rest.surprise(one.feature)), one) for one in candidates]


def _first_by_salience(ranked: tuple[float, Candidate]) -> tuple[float, str]:
    return -ranked[0], ranked[1].feature


@by_identity(PARAGRAPHS)
def _candidates(features: tuple[wire.FeatureReading, ...], settings: Settings) -> Candidates:
    pinned = _pinned(features, settings)
    others = (
        feature
        for feature in features
        if is_shown(feature, settings) and settings.pin_for(feature.feature, feature.name) is None
    )
    return Candidates(tuple(map(_candidate, pinned)), tuple(map(_candidate, others)))


def _candidate(feature: wire.FeatureReading) -> Candidate:
    bonus = PASSAGE_BONUS if is_passage(feature.feature) else 0.0
    value = surprise(feature.presence)
    alone = min(value, RARE_ENOUGH) + SHARE_WEIGHT * feature.share + bonus
    return Candidate(feature, feature.feature, value, alone, words_of(feature.name))


def is_passage(feature: str) -> bool:
    """Whether a feature id is that of a theme or register, found in passages, and not of one found in tokens."""
    return feature.startswith("p")


def is_shown(feature: wire.FeatureReading, settings: Settings) -> bool:
    """Whether a feature that is not pinned may be shown at all."""
    return feature.presence >= settings.hints.minimum_presence and not settings.silences(feature.feature, feature.name)


@lru_cache(maxsize=4096)
def words_of(name: str) -> frozenset[str]:
    """What a name says: its words without filler and endings. "The seas" and "sea" say the same."""
    words = [word for word in re.findall(r"\w+", name.casefold()) if word not in FILLER]
    return frozenset(_stem(word) for word in words)


def alike(a: frozenset[str], b: frozenset[str]) -> bool:
    """Whether one of two names says nothing beyond the other, or they share two thirds of their words."""
    if not a or not b:
        return a == b
    shared = len(a & b)
    return shared == min(len(a), len(b)) or shared * 3 >= len(a | b) * 2


def _pinned(features: tuple[wire.FeatureReading, ...], settings: Settings) -> list[wire.FeatureReading]:
    found: dict[str, wire.FeatureReading] = {}
    for pin in settings.features:
        feature = listed(features, pin.name)
        if feature is not None and feature.presence >= PIN_FLOOR:
            found.setdefault(feature.feature, feature)
    return list(found.values())


def _stem(word: str) -> str:
    """Crude on purpose: names are compared with each other only."""
    for ending in ("ing", "ed", "s"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3 and not (ending == "s" and stem.endswith("s")):
            word = stem
            break
    return word.removesuffix("e") if len(word) > 3 else word
