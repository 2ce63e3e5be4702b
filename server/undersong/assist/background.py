"""What the rest of a draft carries, against which a paragraph stands out; kept up to date from version to version.

Surprise is summed in whole units: a sum of floating-point numbers that is kept up to date would drift with the order of
the edits, this one is what the readings give summed anew.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from undersong import wire
from undersong.assist.kept import PARAGRAPHS, by_identity
from undersong.assist.readings import DraftReadings
from undersong.text.common import common_prefix, common_suffix

MOST_SURPRISE = 4.0
MOST_PRESENCE = 1 - 10**-MOST_SURPRISE
CONTRAST_WEIGHT = 0.5
SETTLING = 2
UNIT = 2.0**-40
"""Of surprise: a trillionth of an order of magnitude."""
DRAFTS = 8

Said = tuple[wire.ParagraphReading | None, ...]


@dataclass(frozen=True, slots=True)
class Background:
    """How much of each feature the draft carries: the sum of its surprise over the paragraphs read, in units."""

    totals: dict[str, int]
    paragraphs: int

    @staticmethod
    def of(readings: DraftReadings) -> Background:
        """The same object for the same content: until the engine answers, a keystroke changes where readings stand
        but not what they say, and what was chosen against this background still holds."""
        said, lineage = readings.said, readings.lineage
        before, background = _kept.get(lineage, ((), _NOTHING))
        if said is not before:
            background = _changed(background, before, said)
        _kept[lineage] = (said, background)
        _kept.move_to_end(lineage)
        if len(_kept) > DRAFTS:
            _kept.popitem(last=False)
        return background

    def without(self, features: tuple[wire.FeatureReading, ...]) -> Rest:
        """The rest of the draft, as seen from one of the paragraphs that were counted."""
        return Rest(self.totals, _surprises(features), self.paragraphs - 1)

    def mean(self, feature: str) -> float:
        """The surprise of a feature over the paragraphs read."""
        return self.totals.get(feature, 0) * UNIT / max(1, self.paragraphs)


@dataclass(frozen=True, slots=True)
class Rest:
    """The draft without one paragraph. `own`: what that paragraph put into `totals`; both in units."""

    totals: dict[str, int]
    own: dict[str, int]
    paragraphs: int

    @property
    def weight(self) -> float:
        """What one unit of contrast adds to salience; 0 where there is no rest."""
        return CONTRAST_WEIGHT * self.paragraphs / (self.paragraphs + SETTLING) if self.paragraphs > 0 else 0.0

    def surprise(self, feature: str) -> float:
        """The mean over these paragraphs; 0 where there are none."""
        total = self.totals.get(feature, 0) - self.own.get(feature, 0)
        return total * UNIT / self.paragraphs if self.paragraphs > 0 else 0.0


def surprise(presence: float) -> float:
    return -math.log10(1.0 - presence) if presence < MOST_PRESENCE else MOST_SURPRISE


_NOTHING = Background({}, 0)
# By the draft's lineage: the readings last summed, and their sum.
_kept: OrderedDict[object, tuple[Said, Background]] = OrderedDict()


def _changed(background: Background, before: Said, after: Said) -> Background:
    """`background`, that of `before`, as that of `after`."""
    start = common_prefix(before, after)
    end = min(common_suffix(before, after, len(before), len(after)), min(len(before), len(after)) - start)
    gone, come = before[start : len(before) - end], after[start : len(after) - end]
    more: dict[str, int] = {}
    for sign, readings in ((-1, gone), (1, come)):
        for features in _read(readings):
            for feature, value in _surprises(features).items():
                more[feature] = more.get(feature, 0) + sign * value
    more = {feature: value for feature, value in more.items() if value}
    paragraphs = background.paragraphs + _count(come) - _count(gone)
    if not more and paragraphs == background.paragraphs:
        return background
    totals = background.totals | {feature: background.totals.get(feature, 0) + value for feature, value in more.items()}
    return Background(totals, paragraphs)


def _read(readings: Said) -> Iterable[tuple[wire.FeatureReading, ...]]:
    return (reading.features for reading in readings if reading is not None)


def _count(readings: Said) -> int:
    return sum(reading is not None for reading in readings)


@by_identity(PARAGRAPHS)
def _surprises(features: tuple[wire.FeatureReading, ...]) -> dict[str, int]:
    return {feature.feature: round(surprise(feature.presence) / UNIT) for feature in features}
