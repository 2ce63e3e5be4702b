"""A feature explained by the model that it is a feature of: its direction stands in for a word, and the model says what
the word means (Chen et al., arXiv 2403.10949; Kharlapenko et al., "Self-explaining SAE features", 2024).

How long the direction is made decides what is said: too short and it is nothing, too long and the model is lost. Each
of SCALES, in units of what residuals are long there, is tried; that one is taken at which

    z(self-similarity) - z(entropy)

is largest, z over the scales. Self-similarity: cosine of the direction and the residual where the answer begins, at the
feature's own layer or, where the scale cannot be felt there yet, the first at which it is: is the model thinking of it?
Entropy, in nats: of the first token of the answer; does it know what
to say?
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from undersong.sae.labelling.explaining import Explained, catalogue_name

SCALES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
MAX_TOKENS = 24
PLACEHOLDER = "X"
QUESTION = 'What is the meaning of the word "X"?'
ANSWER = 'The meaning of the word "X" is "'

_END = re.compile(r'["”\n]')


@dataclass(frozen=True, slots=True)
class Tried:
    """One scale: `entropy` in nats, `self_similarity` -1 to 1."""

    scale: float
    entropy: float
    self_similarity: float


class Speaker(Protocol):
    """A model that is asked QUESTION and begins to answer with ANSWER, a feature's direction in the place of X."""

    def tried(self, feature: int, scale: float) -> Tried: ...

    def written(self, feature: int, scale: float, max_tokens: int) -> str:
        """What follows ANSWER."""
        ...


@dataclass(frozen=True, slots=True)
class SelfExplained:
    explained: Explained
    chosen: Tried
    tried: tuple[Tried, ...]


def explain_itself(speaker: Speaker, feature: int, scales: Sequence[float] = SCALES) -> SelfExplained:
    """The name is what was said up to the closing quote."""
    tried = tuple(speaker.tried(feature, scale) for scale in scales)
    chosen = best(tried)
    said = _END.split(speaker.written(feature, chosen.scale, MAX_TOKENS).strip(), maxsplit=1)[0]
    return SelfExplained(Explained(catalogue_name(said), said.strip()), chosen, tried)


def best(tried: Sequence[Tried]) -> Tried:
    """See the module's docstring."""
    similarity = _standard([each.self_similarity for each in tried])
    entropy = _standard([each.entropy for each in tried])
    return max(zip(tried, similarity, entropy, strict=True), key=lambda each: each[1] - each[2])[0]


def _standard(values: list[float]) -> list[float]:
    mean = sum(values) / len(values)
    spread = (sum((value - mean) ** 2 for value in values) / len(values)) ** 0.5
    return [(value - mean) / spread if spread else 0.0 for value in values]
