"""Passages of text and where in them features fire: what names are made from, and what they are tried on.

Half of the passages are for naming, half are held out for scores: runs of RUN passages by turns, so that the end of a
sentence is not in one half and its beginning in the other too often.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

RUN = 8
QUANTILES = 10


@dataclass(frozen=True, slots=True)
class Passage:
    """`spans`: where in `text`, in code points, each activation stands: a token, or the whole for the passage grain."""

    text: str
    spans: tuple[tuple[int, int], ...]
    source: str


@dataclass(frozen=True, slots=True)
class Example:
    """A passage and one feature's activations in it, one for each of its spans."""

    passage: Passage
    values: tuple[float, ...]

    @property
    def strength(self) -> float:
        """The largest activation."""
        return max(self.values, default=0.0)

    @property
    def peak(self) -> tuple[int, int]:
        """The span of the largest activation."""
        return self.passage.spans[max(range(len(self.values)), key=self.values.__getitem__)]


def held_out(number: int) -> bool:
    """Whether passage `number` is for scores."""
    return number // RUN % 2 == 1


class Firings:
    """Every activation above 0 in a list of passages, sorted by feature."""

    def __init__(self, d_sae: int, passages: Iterable[tuple[Passage, Tensor]], seed: int = 0) -> None:
        """`passages`: each with its activations [spans, d_sae]."""
        self.d_sae = d_sae
        self.passages: list[Passage] = []
        self._seed = seed
        features, places, values, starts = [], [], [], [0]
        for passage, codes in passages:
            found = (codes > 0).nonzero()
            features.append(found[:, 1].cpu())
            places.append((found[:, 0] + starts[-1]).cpu())
            values.append(codes[codes > 0].float().cpu())
            starts.append(starts[-1] + len(codes))
            self.passages.append(passage)
        feature = torch.cat(features) if features else torch.empty(0, dtype=torch.long)
        order = feature.argsort(stable=True)
        self._places = torch.cat(places)[order] if places else feature
        self._values = torch.cat(values)[order] if values else feature.float()
        self._bounds = torch.searchsorted(feature[order], torch.arange(d_sae + 1))
        self._starts = torch.tensor(starts)
        self._held = torch.tensor([held_out(number) for number in range(len(self.passages))], dtype=torch.bool)

    @property
    def n_spans(self) -> int:
        return int(self._starts[-1])

    def frequency(self, feature: int) -> float:
        """Share of all spans on which it is active."""
        places, _ = self.of(feature)
        return len(places) / max(1, self.n_spans)

    def maximum(self, feature: int) -> float:
        _, values = self.of(feature)
        return float(values.max()) if len(values) else 0.0

    def of(self, feature: int) -> tuple[Tensor, Tensor]:
        """([n] which spans, counted through all passages, [n] its activations there)."""
        part = slice(int(self._bounds[feature]), int(self._bounds[feature + 1]))
        return self._places[part], self._values[part]

    def by_passage(self, feature: int) -> tuple[Tensor, Tensor]:
        """([n] the passages in which it is active, rising, [n] its largest activation in each)."""
        places, values = self.of(feature)
        numbers = torch.searchsorted(self._starts, places, right=True) - 1
        found, where = numbers.unique(return_inverse=True)
        return found, torch.zeros(len(found)).scatter_reduce(0, where, values, "amax", include_self=False)

    def example(self, number: int, feature: int) -> Example:
        """Passage `number` with the feature's activations in it, which may all be 0."""
        places, values = self.of(feature)
        start, stop = int(self._starts[number]), int(self._starts[number + 1])
        here = (places >= start) & (places < stop)
        row = torch.zeros(stop - start).scatter(0, places[here] - start, values[here])
        return Example(self.passages[number], tuple(row.tolist()))

    def strongest(self, feature: int, count: int, held: bool) -> list[Example]:
        """Those it is strongest in, the strongest first; no source twice while there are sources enough."""
        numbers, strengths = self._half(feature, held)
        ordered = numbers[strengths.argsort(descending=True, stable=True)][: 20 * count].tolist()
        sources: set[str] = set()
        first = [n for n in ordered if not (self.passages[n].source in sources or sources.add(self.passages[n].source))]
        chosen = (first + [n for n in ordered if n not in set(first)])[:count]
        return [self.example(n, feature) for n in sorted(chosen, key=ordered.index)]

    def ranged(self, feature: int, count: int, held: bool) -> list[Example]:
        """As many from each of QUANTILES ranges of strength, drawn by the seed; the strongest range first."""
        numbers, strengths = self._half(feature, held)
        ordered = numbers[strengths.argsort(descending=True, stable=True)]
        chosen: list[int] = []
        for number, part in enumerate(ordered.tensor_split(QUANTILES)):
            room = (count * (number + 1)) // QUANTILES - (count * number) // QUANTILES
            chosen += part[torch.randperm(len(part), generator=self._random(feature))][:room].tolist()
        return [self.example(n, feature) for n in chosen]

    def silent(self, feature: int, count: int, held: bool) -> list[Example]:
        """Passages in which it is not active, drawn by the seed."""
        quiet = self._held == held
        quiet[self.by_passage(feature)[0]] = False
        numbers = quiet.nonzero()[:, 0]
        picked = numbers[torch.randperm(len(numbers), generator=self._random(feature))][:count]
        return [self.example(n, feature) for n in picked.tolist()]

    def _half(self, feature: int, held: bool) -> tuple[Tensor, Tensor]:
        numbers, strengths = self.by_passage(feature)
        own = self._held[numbers] == held
        return numbers[own], strengths[own]

    def _random(self, feature: int) -> torch.Generator:
        return torch.Generator().manual_seed(self._seed * 1_000_003 + feature)
