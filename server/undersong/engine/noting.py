"""Paragraphs as sparse vectors of their features: what notes are indexed and found by.

A feature's weight is how telling it is of the paragraph (ranking.py): the order of magnitude of its rarity, and its
share of all that its SAE reads there.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from undersong.engine.bulk import BulkReader, Carried
from undersong.engine.loading import Loaded
from undersong.engine.memory import Memory
from undersong.engine.ranking import ranked
from undersong.wire import SparseVector

LEAST_PRESENCE = 0.75
MOST_FEATURES = 48


def vectors(
    loaded: Loaded, proses: Sequence[str], wanted: Sequence[int] | None = None, memory: Memory | None = None
) -> Generator[None, None, tuple[SparseVector, ...]]:
    """Steps; returns what each paragraph carries. `wanted`: only these of them; the others are their context."""
    found: list[SparseVector] = []
    for carried in BulkReader(loaded, memory).read(proses, wanted):
        if carried is not None:
            found.append(vector(loaded, carried))
        yield None
    return tuple(found)


def vector(loaded: Loaded, carried: Carried) -> SparseVector:
    """The shown features above LEAST_PRESENCE, the most telling MOST_FEATURES of them."""
    scored = [
        (round(item.score, 3), f"{dictionary.sae.id}.{item.index}")
        for dictionary in loaded.reading
        for item in ranked(dictionary, carried.tallies[dictionary.sae.id], MOST_FEATURES, ())
        if item.presence >= LEAST_PRESENCE and item.score > 0
    ]
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    kept = scored[:MOST_FEATURES]
    return SparseVector(tuple(feature for _, feature in kept), tuple(score for score, _ in kept))
