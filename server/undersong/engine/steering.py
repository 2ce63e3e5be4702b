"""From dials to interventions where the SAE's features are written.

Strength s > 0 of a feature asks for s times the activation of its calibrated dose; s < 0 ablates it to that share.
A passage-level feature is a direction of mean residuals: what it reads on a single token means nothing. Whatever is
asked, s doses are added along it: below 0 they push the text away (docs/decisions/0007-less-of-a-passage-feature.md).
Dials of all SAEs that write to one place are solved jointly (model/deltas.py).
What is added lies along the dictionary's steering direction where it has one; what is ablated is what the SAE reads,
along the decoder's row. A feature that is known to read and not to steer is not raised at all.
A dial may be turned only where something holds (wire.Dial.when, conditions.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import torch

from undersong.engine.loading import Dictionary, Loaded
from undersong.errors import BadInput, BadStrength, UnknownFeature
from undersong.hook_points import order
from undersong.model.interventions import Gate, Intervention
from undersong.sae.base import SAE
from undersong.wire import MAX_STRENGTH, MIN_STRENGTH, Dial, Operation

_INDEX = re.compile(r"[0-9]{1,9}")
BY_QUOTATION_MARKS = ("dialogue", "narration")


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """One feature of one dictionary and the operation on it. `share`: how much of it `ablate` takes away, 0 to 1."""

    dictionary: Dictionary
    index: int
    asked: Operation
    share: float = 1.0

    @property
    def operation(self) -> Operation:
        return "add" if self.dictionary.sae.grain == "passage" else self.asked

    def doses(self, strength: float) -> float:
        """How many calibrated doses the operation asks for at this strength of a dial; ablation asks for none."""
        if self.asked != "ablate":
            return strength
        return 0.0 if self.operation == "ablate" else -self.share

    @property
    def direction(self) -> torch.Tensor:
        """[1, d_out]: what one unit of it moves the place by that it writes to, times `SAE.unit`."""
        source = self.dictionary.sae if self.operation == "ablate" else self.dictionary
        return source.directions([self.index])


@dataclass(frozen=True, slots=True, eq=False)
class Control:
    """A dial and the feature that it turns. `target`: activation to reach, or to add; ablation has none."""

    dial: Dial
    feature: Turned
    target: float = 0.0

    @property
    def turns(self) -> bool:
        """Whether it does anything."""
        return self.dial.strength != 0 and self.feature.share > 0

    @property
    def direction(self) -> torch.Tensor:
        """[d_out]: which way a text is moved by it."""
        away = self.feature.asked == "ablate" or self.dial.strength < 0
        return self.feature.direction[0].float() * (-1.0 if away else 1.0)


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
        nearest = loaded.catalogue.nearest_names(feature)
        hint = f"; nearest: {', '.join(f'“{name}”' for name in nearest)}" if nearest else ""
        raise UnknownFeature(f"no feature has the id or name “{feature}”{hint}", nearest)
    return found


def feature_id(turned: Turned) -> str:
    return f"{turned.dictionary.sae.id}.{turned.index}"


def turned(loaded: Loaded, dial: Dial) -> Turned:
    """The feature that a dial turns. Raises UnknownFeature, BadStrength, BadInput."""
    if not math.isfinite(dial.strength) or not MIN_STRENGTH <= dial.strength <= MAX_STRENGTH:
        raise BadStrength(
            f"strength of “{dial.feature}”: expected a number from {MIN_STRENGTH} to {MAX_STRENGTH}, "
            f"found {dial.strength}"
        )
    found = find(loaded, dial.feature)
    condition(loaded, dial, found)
    steers = loaded.steers.get(feature_id(found)) is not False
    if dial.strength < 0 or dial.operation == "ablate":
        made = replace(found, asked="ablate", share=min(abs(dial.strength), 1.0))
        # A direction that does nothing does nothing turned round either: a silenced feature must not cost the writing.
        written = loaded.model.sites.stream(found.dictionary.sae.config.point_out) is not None
        moves = made.direction.any() and (steers or (made.operation == "ablate" and written))
        return made if moves else replace(made, share=0.0)
    if dial.strength > 0 and not steers:
        raise BadStrength(
            f"“{dial.feature}” reads, does not steer: expected a strength of 0 or less, found {dial.strength:g}"
        )
    made = replace(found, asked=dial.operation)
    if dial.strength > 0 and not made.direction.any():
        raise BadStrength(f"“{dial.feature}” cannot be raised: its direction has no length")
    return made


def condition(loaded: Loaded, dial: Dial, found: Turned) -> Turned | None:
    """The feature by whose presence a dial is turned; None where it is turned everywhere or by quotation marks.

    Raises UnknownFeature; BadInput where that feature is read too late for it.
    """
    if not dial.when or dial.when in BY_QUOTATION_MARKS:
        return None
    told_by = find(loaded, dial.when)
    reads, writes = told_by.dictionary.reads, loaded.model.sites.stream(found.dictionary.sae.config.point_out)
    if writes is not None and order(reads) > order(writes):
        raise BadInput(
            f"“{dial.feature}” when “{dial.when}”: expected a condition that is read at {writes} or before it, where "
            f"the feature is written; found one read at {reads}"
        )
    return told_by


def hooks(
    controls: Sequence[Control], factors: torch.Tensor, gates: Mapping[str, Gate | None] | None = None
) -> list[Intervention]:
    """What turns the controls that turn anything. `factors` [rows]: what each row's doses are multiplied by, 0 leaves
    it bit for bit; `gates`: by `Dial.when`, None or missing for everywhere."""
    turning = [control for control in controls if control.turns]
    if not turning:
        return []
    targets = factors[:, None] * torch.tensor([[control.target for control in turning]])
    chosen = [(gates or {}).get(control.dial.when) for control in turning]
    made = interventions([control.feature for control in turning], targets, (factors > 0).float(), chosen)
    return [
        replace(each, scale=factors.clamp_max(1.0).to(each.targets.device)) if each.operation == "ablate" else each
        for each in made
    ]


def interventions(
    features: Sequence[Turned], targets: torch.Tensor, scale: torch.Tensor, gates: Sequence[Gate | None] = ()
) -> list[Intervention]:
    """targets: [rows, k] activations to reach (ablate ignores them); scale: [rows], 0 leaves a row bit for bit.

    `gates`: of each feature, where it is acted on; none given: everywhere.
    """
    shut = list(gates) or [None] * len(features)
    distinct = list(dict.fromkeys(shut))

    def key(n: int) -> tuple[str, Operation, int]:
        return features[n].dictionary.sae.id, features[n].operation, distinct.index(shut[n])

    made: list[Intervention] = []
    for (_, operation, gate), group in groupby(sorted(range(len(features)), key=key), key=key):
        members = list(group)
        chosen = [features[n] for n in members]
        sae = chosen[0].dictionary.sae
        made.append(
            Intervention(
                point=sae.config.point_out,
                operation=operation,
                directions=torch.cat([feature.direction for feature in chosen]),
                targets=targets[:, members].to(sae.device),
                columns=None if operation == "add" else _columns(sae, chosen),
                scale=scale.to(sae.device),
                reads=sae.config.point,
                unit=None if sae.config.normalization == "none" else sae.unit,
                gate=distinct[gate],
            )
        )
    return made


def _columns(sae: SAE, features: Sequence[Turned]) -> Callable[[torch.Tensor], torch.Tensor]:
    """What each feature reads; of one that is ablated in part only that share, so that the rest stays."""
    reader = sae.reader([feature.index for feature in features])
    shares = torch.tensor([feature.share for feature in features], device=sae.device)
    return lambda passed: reader(passed) * shares
