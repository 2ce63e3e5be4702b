"""What the readings at hand tell of the pins: which feature each is, and which of them do not steer."""

from __future__ import annotations

from undersong import wire
from undersong.assist.draft import Draft
from undersong.assist.kept import PARAGRAPHS, by_identity
from undersong.catalogue.queries import plain_name


def known(draft: Draft) -> dict[str, wire.FeatureReading]:
    """By pins as the settings name them: each one's reading in some paragraph; what no reading tells of is left out.

    Which feature a pin is, and whether it steers, are facts of the weights, not of a paragraph. Pins are watched, so
    any paragraph that was read since the feature was pinned tells it of the whole draft, however faint it is there.
    """
    unknown = {pin.name for pin in draft.settings.features}
    found: dict[str, wire.FeatureReading] = {}
    # Fresh readings first: others may be of the weights that were loaded before.
    for said in draft.readings.fresh_first():
        if not unknown:
            break
        here = {name: reading for name in unknown if (reading := listed(said.features, name)) is not None}
        unknown -= here.keys()
        found |= here
    return found


def reads_only(draft: Draft) -> frozenset[str]:
    """The pins of features that are known to read and not to steer, as the settings name them."""
    return frozenset(name for name, reading in known(draft).items() if reading.steers is False)


def listed(features: tuple[wire.FeatureReading, ...], name: str) -> wire.FeatureReading | None:
    """As the engine finds a feature: by its id, or by its name whatever the case and spacing."""
    by_key = _by_key(features)
    return by_key.get(name) or by_key.get(plain_name(name))


@by_identity(PARAGRAPHS)
def _by_key(features: tuple[wire.FeatureReading, ...]) -> dict[str, wire.FeatureReading]:
    """By id and by name; where two share a name, the first."""
    return {key: one for one in reversed(features) for key in (one.feature, plain_name(one.name))}
