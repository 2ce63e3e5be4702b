"""Finding features to steer with: what means what was asked, those first that bring out their own words.

What a search finds is in tiers of meaning (Catalogue.tiers). Within a tier the output score orders, whether it came
with the catalogue or is measured here and kept (output_scores.py); those that only read come last and are said to.
What is nearly the same as a better one is folded into it (likeness.py).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace

from undersong.catalogue.scores import Score, Scores
from undersong.engine.likeness import Likeness
from undersong.engine.loading import Loaded
from undersong.engine.memory import Memory
from undersong.engine.output_scores import READS_ONLY, output_scores
from undersong.engine.steering import Turned, lookup
from undersong.wire import SearchHit

LOOKED_AT = 3
"""Times as many as are wanted are found: near-duplicates go."""


class Finder:
    """Used on the device thread only."""

    def __init__(self, loaded: Loaded, scores: Scores, memory: Memory | None = None) -> None:
        self._loaded, self._scores, self._likeness = loaded, scores, Likeness(loaded, memory)

    def search(self, query: str, limit: int) -> Generator[None, None, tuple[SearchHit, ...]]:
        """Steps; returns at most `limit` hits, best first."""
        tiers = self._loaded.catalogue.tiers(query, LOOKED_AT * limit)
        found = {hit.feature: turned for tier in tiers for hit in tier if (turned := self._found(hit)) is not None}
        scores = yield from self.scores(found)
        ranked = [hit for tier in tiers for hit in ordered(self._told(tier, found, scores))]
        groups = yield from self._likeness.groups(
            [(found[hit.feature].dictionary, found[hit.feature].index) for hit in ranked]
        )
        like: dict[int, list[str]] = {n: [] for n in range(len(ranked)) if groups[n] == n}
        for n, first in enumerate(groups):
            if first != n:
                like[first].append(ranked[n].feature)
        return tuple(replace(ranked[n], like=tuple(folded)) for n, folded in like.items())[:limit]

    def scores(self, features: Mapping[str, Turned]) -> Generator[None, None, dict[str, Score]]:
        """Steps; returns the scores of features by id that can be added to the stream at all, measured where they are
        not known."""
        fingerprint = self._loaded.fingerprint
        known = self._scores.get(fingerprint, list(features))
        missing = {
            name: turned
            for name, turned in features.items()
            if name not in known and "steer" in turned.dictionary.roles
        }
        if missing:
            measured = yield from output_scores(self._loaded, list(missing.values()))
            new = dict(zip(missing, measured, strict=True))
            self._scores.put(fingerprint, new)
            known |= new
        return known

    def known(self, feature: str) -> Score | None:
        """Of a feature id, where it was measured before. Any thread."""
        return self._scores.get(self._loaded.fingerprint, [feature]).get(feature)

    def _found(self, hit: SearchHit) -> Turned | None:
        return lookup(self._loaded, hit.feature)

    def _told(
        self, tier: Sequence[SearchHit], found: Mapping[str, Turned], scores: Mapping[str, Score]
    ) -> list[SearchHit]:
        told: list[SearchHit] = []
        for hit in tier:
            if hit.feature not in found:
                continue
            own = scores.get(hit.feature)
            score = hit.output_score if hit.output_score is not None else own.output_score if own else None
            told.append(replace(hit, output_score=score, steers=steers(self._loaded, hit.feature, score)))
        return told


def steers(loaded: Loaded, feature: str, output_score: float | None) -> bool | None:
    """Whether raising a feature does anything: as was measured with its dose, else False where it does not even bring
    out its own tokens; None: not known."""
    known = loaded.steers.get(feature)
    return False if known is None and output_score is not None and output_score < READS_ONLY else known


def ordered(tier: Sequence[SearchHit]) -> list[SearchHit]:
    """Hits of one meaning: those that may steer first, by output score; equals as they were."""
    return sorted(tier, key=lambda hit: (hit.steers is False, -(hit.output_score or 0.0)))
