"""Feature sensitivity: does a feature fire on new text that is like what it fires on? (arXiv 2509.23717)

A writer (a language model) is shown a feature's strongest passages and asked for more of the kind; the sensitivity is
the share of the new passages on which the feature fires at all. A feature that follows a few spellings scores low
though its examples look alike; scores fall as SAEs get wider. Beside it stands the share on passages drawn from the
text at hand, whatever they are about: what chance gives.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SHOWN = 8
WRITTEN = 10

Writer = Callable[[Sequence[str], int], Sequence[str]]
"""(passages, how many) -> that many new passages like them"""
Reader = Callable[[Sequence[str], int], Sequence[float]]
"""(texts, feature) -> the feature's largest activation in each"""


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """`fires`: share of the `written` passages on which the feature is active; `elsewhere`: of passages drawn at
    random."""

    feature: int
    fires: float
    elsewhere: float
    written: int


def sensitivity(
    feature: int, strongest: Sequence[str], others: Sequence[str], write: Writer, read: Reader
) -> Sensitivity | None:
    """None where the writer gave nothing. `strongest`: the feature's passages, the strongest first."""
    texts = [text for text in write(strongest[:SHOWN], WRITTEN) if text.strip()]
    # A passage handed back says nothing about new text.
    fresh = [text for text in texts if text.strip() not in {shown.strip() for shown in strongest[:SHOWN]}]
    if not fresh:
        return None
    return Sensitivity(feature, _share(read(fresh, feature)), _share(read(others, feature)), len(fresh))


def _share(values: Sequence[float]) -> float:
    return sum(value > 0 for value in values) / len(values) if values else 0.0
