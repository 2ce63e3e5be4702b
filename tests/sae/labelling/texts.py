"""Passages made by hand, and features that fire where one can see why."""

from __future__ import annotations

import re

import torch

from undersong.sae.labelling.passages import Firings, Passage

SEA = "The {} sea rose over the harbour wall and fell again, grey."
SNOW = "Snow lay {} on the roofs of the old town that night."
LAMP = "A lamp burned {} in the window of the small house."
FILLERS = ("calm", "dark", "wide", "slow", "cold", "low", "far", "late")


def passage(text: str, source: str = "book") -> Passage:
    """A span for each word and mark, with the space before it, as tokens have it."""
    return Passage(text, tuple(match.span() for match in re.finditer(r"\s?\w+|[^\w\s]", text)), source)


def codes(passage: Passage, d_sae: int = 4) -> torch.Tensor:
    """Feature 0 fires on "sea" (strength by the filler), 1 on "snow" and "roofs", 2 everywhere, 3 never."""
    found = torch.zeros(len(passage.spans), d_sae)
    for row, (start, end) in enumerate(passage.spans):
        word = passage.text[start:end].strip().lower()
        filler = next((n for n, name in enumerate(FILLERS) if name in passage.text), 0)
        found[row, 0] = (2.0 + filler / 10) * (word == "sea")
        found[row, 1] = 3.0 * (word == "snow") + 2.5 * (word == "roofs")
        found[row, 2] = 1.0
    return found


def written(count: int = 160) -> list[Passage]:
    templates = (SEA, SNOW, LAMP)
    return [passage(templates[n % 3].format(FILLERS[(n // 3) % len(FILLERS)]), f"book {n % 5}") for n in range(count)]


def firings(count: int = 160) -> Firings:
    return Firings(4, ((each, codes(each)) for each in written(count)))
