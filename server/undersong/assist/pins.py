"""Which pins nothing can be steered toward: those of features that are known to read and not to steer."""

from __future__ import annotations

from undersong import wire
from undersong.assist.draft import Draft
from undersong.assist.kept import PARAGRAPHS, by_identity
from undersong.catalogue.queries import plain_name


def reads_only(draft: Draft) -> frozenset[str]:
    """These pins, as the settings name them.

    What steers is a fact of the weights, not of a paragraph. Pins are watched, so any paragraph that was read since
    the feature was pinned tells it of the whole draft, however faint the feature is there.
    """
    unknown = {pin.name for pin in draft.settings.features}
    found: set[str] = set()
    read = [held for held in draft.readings.paragraphs if held is not None]
    # Fresh readings first: others may be of the weights that were loaded before.
    for held in sorted(read, key=lambda held: not held.fresh):
        if not unknown:
            break
        steering = _steering(held.reading.features)
        listed = {name: steers for name in unknown if (steers := _of(name, steering)) is not None}
        unknown -= listed.keys()
        found |= {name for name, steers in listed.items() if not steers}
    return frozenset(found)


@by_identity(PARAGRAPHS)
def _steering(features: tuple[wire.FeatureReading, ...]) -> dict[str, bool]:
    """By id and by name: False for what is known not to steer."""
    return {key: one.steers is not False for one in features for key in (one.feature, plain_name(one.name))}


def _of(name: str, steering: dict[str, bool]) -> bool | None:
    """As the engine finds a feature: by its id, or by its name whatever the case and spacing."""
    return steering.get(name, steering.get(plain_name(name)))
