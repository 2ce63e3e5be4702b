"""Which given names are shown: those whose key words tell the feature's passages in text that nothing was made from.

On the held-out windows, the passages in which a feature is strong (above its median there) are told from the others
by the feature's key words alone. A register, which is a matter of small words, needs an area under the curve of 0.85
with all words; a theme needs 0.66 with content words only. Either may instead have its MARKS first content words in
SHARE of its passages and several times as often as elsewhere, since a few telling words are rare in 32 tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keyness
import numpy as np
from token_names import GRAMMAR

AREA = {"register": 0.85, "theme": 0.66}
LIFT = {"register": 4.0, "theme": 2.5}
MARKS, SHARE = 8, 0.25
KEY_WORDS = 30


@dataclass(frozen=True, slots=True)
class Told:
    """`area`: over all words for a register, over content words for a theme; None: too few held-out passages."""

    area: float | None
    share: float
    lift: float
    shown: bool


def told(
    kinds: Sequence[str | None], held: keyness.Words, p: np.ndarray, ratio: np.ndarray, codes: np.ndarray
) -> list[Told]:
    """`kinds` [features]; p, ratio [features, types] from the counted text; codes [held passages, features]."""
    middle = np.array([np.median(column[column > 0]) if (column > 0).any() else np.inf for column in codes.T])
    strong = (codes >= middle) & (codes > 0)
    content = np.array([word not in GRAMMAR and len(word) > 2 for word in held.types])
    by_content = keyness.detection(held, ratio, np.where(content, p, 0), strong, KEY_WORDS)
    by_all = keyness.detection(held, ratio, p, strong, KEY_WORDS)
    answers: list[Told] = []
    for feature, kind in enumerate(kinds):
        marks = np.argsort(-np.where(content, p[feature] * ratio[feature], -1))[:MARKS]
        marked = np.zeros(held.passages, bool)
        marked[held.rows[np.isin(held.columns, marks)]] = True
        there = strong[:, feature]
        share = float(marked[there].mean()) if there.any() else 0.0
        lift = share / max(float(marked[~there].mean()), 1e-3)
        area = by_all[feature] if kind == "register" else by_content[feature]
        shown = (
            kind is not None and area is not None and (area >= AREA[kind] or (share >= SHARE and lift >= LIFT[kind]))
        )
        answers.append(Told(area, round(share, 3), round(lift, 2), shown))
    return answers
