"""Features that are nearly the same: of one dictionary, with nearly one direction, or active at the same places.

Two are near-duplicates where the cosine of their decoder rows is at least SAME, or at least NEAR and of the places
where either is active in the reference passages at least TOGETHER have both. A place is a token, for a passage
dictionary a passage.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from undersong.engine.loading import Dictionary, Loaded
from undersong.engine.memory import Memory
from undersong.engine.openings import OPENINGS
from undersong.engine.reference import reference_passages
from undersong.errors import WeightsMissing
from undersong.hook_points import HookPoint
from undersong.model.kv_cache import WindowCache

SAME, NEAR, TOGETHER = 0.9, 0.5, 0.5
PASSAGES = 60
FEWEST = 3
"""Places with either of two features before their being together says anything."""


class Likeness:
    """Used on the device thread only. Passages are read when they are first needed, and kept: a Cache (memory.py)."""

    def __init__(self, loaded: Loaded, memory: Memory | None = None) -> None:
        self._loaded, self._memory = loaded, memory or Memory()
        self._passed: list[dict[HookPoint, Tensor]] | None = None
        self._used = 0
        self._memory.watch(self)

    @property
    def nbytes(self) -> int:
        return sum(value.nbytes for each in self._passed or () for value in each.values())

    @property
    def last_used(self) -> int | None:
        return None if self._passed is None else self._used

    def give_way(self) -> None:
        self._passed = None

    def groups(self, features: Sequence[tuple[Dictionary, int]]) -> Generator[None, None, list[int]]:
        """Steps; returns for each feature the number of the first of `features` that it is nearly the same as, its own
        where there is none before it."""
        passed = yield from self._read()
        first = list(range(len(features)))
        for name in dict.fromkeys(dictionary.sae.id for dictionary, _ in features):
            here = [n for n, (dictionary, _) in enumerate(features) if dictionary.sae.id == name]
            dictionary = features[here[0]][0]
            like = alike(dictionary, [features[n][1] for n in here], _places(dictionary, passed))
            kept: list[int] = []
            for at, n in enumerate(here):
                same = next((other for other in kept if like[at, other]), None)
                if same is None:
                    kept.append(at)
                else:
                    first[n] = here[same]
            yield None
        return first

    def _read(self) -> Generator[None, None, list[dict[HookPoint, Tensor]]]:
        if self._passed is None:
            model = self._loaded.model
            taps = {dictionary.reads for dictionary in self._loaded.dictionaries.values()}
            bos = [] if model.bos_id is None else [model.bos_id]
            found: list[dict[HookPoint, Tensor]] = []
            for text in _texts():
                ids = list(self._loaded.encode(text)[0])[: model.context - len(bos)]
                passed = WindowCache(model, taps).extend(bos + ids)
                found.append({point: value[len(bos) :].clone() for point, value in passed.items()})
                yield None
            self._passed = found
        passed, self._used = self._passed, self._memory.now()
        self._memory.settle()
        return passed


def _texts() -> list[str]:
    try:
        return reference_passages()[:PASSAGES]
    except WeightsMissing:
        return list(OPENINGS)


def _places(dictionary: Dictionary, passed: Sequence[dict[HookPoint, Tensor]]) -> Tensor:
    """[n, d_in]: what the SAE reads at each place."""
    values = [each[dictionary.reads] for each in passed if len(each[dictionary.reads])]
    if dictionary.sae.grain == "token":
        return torch.cat(values)
    return torch.cat([dictionary.sae.pool(value.float().sum(dim=0), len(value)) for value in values])


def alike(dictionary: Dictionary, indices: Sequence[int], places: Tensor) -> Tensor:
    """[k, k] bool: which features are near-duplicates, by what is read at `places` [n, d_in]."""
    rows = torch.nn.functional.normalize(dictionary.sae.directions(indices).float(), dim=1)
    cosines = rows @ rows.T
    active = (dictionary.sae.encode_columns(places, indices) > 0).float()
    both = active.T @ active
    alone = active.sum(dim=0)
    either = alone[:, None] + alone[None, :] - both
    together = (either >= FEWEST) & (both >= TOGETHER * either)
    return ((cosines >= SAME) | ((cosines >= NEAR) & together)).cpu()
