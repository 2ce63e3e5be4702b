"""From dials to interventions on the residual stream.

Strength s > 0 of a feature asks for s times the activation of its calibrated dose; s < 0 ablates it to that share.
A passage-level feature is a direction of mean residuals: what it reads on a single token means nothing, so `floor`
and `clamp` add along it instead. Dials of one layer and operation are solved jointly (model/interventions.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch

from undersong.engine.loading import Dictionary, Loaded
from undersong.errors import BadStrength, UnknownFeature
from undersong.model.interventions import Intervention
from undersong.wire import MAX_STRENGTH, MIN_STRENGTH, Dial, Operation

_INDEX = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """One feature of one dictionary and the operation on it. `share`: how much of it `ablate` takes away, 0 to 1."""

    dictionary: Dictionary
    index: int
    asked: Operation
    share: float = 1.0

    @property
    def operation(self) -> Operation:
        if self.dictionary.sae.grain == "passage" and self.asked in ("floor", "clamp"):
            return "add"
        return self.asked


def lookup(loaded: Loaded, feature: str) -> Turned | None:
    """The feature of that id or exact name, to be raised."""
    known = loaded.catalogue.by_name(feature) or feature
    sae, _, index = known.rpartition(".")
    dictionary = loaded.dictionaries.get(sae)
    if dictionary is None or not _INDEX.fullmatch(index) or int(index) >= dictionary.sae.d_sae:
        return None
    return Turned(dictionary, int(index), "floor")


def find(loaded: Loaded, feature: str) -> Turned:
    """The same. Raises UnknownFeature with the nearest names, which takes a while to find."""
    found = lookup(loaded, feature)
    if found is None:
        near = ", ".join(f"“{name}”" for name in loaded.catalogue.nearest_names(feature))
        hint = f"; nearest: {near}" if near else ""
        raise UnknownFeature(f"no feature has the id or name “{feature}”{hint}")
    return found


def feature_id(turned: Turned) -> str:
    return f"{turned.dictionary.sae.id}.{turned.index}"


def turned(loaded: Loaded, dial: Dial) -> Turned:
    """The feature that a dial turns. Raises UnknownFeature, BadStrength."""
    if not math.isfinite(dial.strength) or not MIN_STRENGTH <= dial.strength <= MAX_STRENGTH:
        raise BadStrength(
            f"strength of “{dial.feature}”: expected a number from {MIN_STRENGTH} to {MAX_STRENGTH}, "
            f"found {dial.strength}"
        )
    found = find(loaded, dial.feature)
    if not found.dictionary.sae.directions([found.index]).any():
        raise BadStrength(f"“{dial.feature}” cannot be turned: its direction has no length")
    if dial.strength < 0 or dial.operation == "ablate":
        return Turned(found.dictionary, found.index, "ablate", min(abs(dial.strength), 1.0))
    return Turned(found.dictionary, found.index, dial.operation)


def interventions(features: Sequence[Turned], targets: torch.Tensor, scale: torch.Tensor) -> list[Intervention]:
    """targets: [rows, k] activations to reach (ablate ignores them); scale: [rows], 0 leaves a row bit for bit."""
    order = sorted(range(len(features)), key=lambda n: _group(features[n]))
    made: list[Intervention] = []
    for (layer, operation), group in groupby(order, key=lambda n: _group(features[n])):
        members = list(group)
        chosen = [features[n] for n in members]
        device = chosen[0].dictionary.sae.device
        made.append(
            Intervention(
                layer=layer,
                operation=operation,
                directions=torch.cat([f.dictionary.sae.directions([f.index]) for f in chosen]),
                targets=targets[:, members].to(device),
                columns=None if operation == "add" else _columns(chosen),
                scale=scale.to(device),
            )
        )
    return made


def _group(feature: Turned) -> tuple[int, Operation]:
    return feature.dictionary.sae.hook_layer, feature.operation


def _columns(features: Sequence[Turned]) -> Callable[[torch.Tensor], torch.Tensor]:
    """What each feature reads; of one that is ablated in part only that share, so that the rest stays."""
    readers = [(feature.dictionary.sae.reader([feature.index]), feature.share) for feature in features]
    return lambda resid: torch.cat([reader(resid) * share for reader, share in readers], dim=-1)
