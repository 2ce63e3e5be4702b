"""Activations for training, from texts and a function that reads tokens: shuffled, several hook points in one pass.

1. texts become tokens, and tokens rows of `context` that begin with BOS
2. `read` gives what passes at each hook point; BOS and other special tokens are left out
3. a buffer is filled, shuffled with a seed of its own number, and given out in batches; then the next one

Nothing of a buffer goes over into the next, so a stream can be taken up in the middle of one: its rows are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from undersong.errors import BadInput
from undersong.hook_points import HookPoint
from undersong.sae.training.texts import Texts

# Token ids [rows, context] -> what passes at each hook point [rows, context, d].
Read = Callable[[Tensor], Mapping[HookPoint, Tensor]]
Tokenize = Callable[[str], Sequence[int]]
Batch = dict[HookPoint, Tensor]


class Stopped(Exception):
    """Raised by what is told of the reading, to end it: what was read of this buffer is left."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """`context`, `buffer_tokens` and `batch` count tokens, `rows_at_once` what `read` takes in one call.

    `bos`: what rows begin with; None where the model knows no such token. `left_out`: tokens that give no activations,
    BOS among them if it shall not. `process` of `processes`: which texts are this process's.
    """

    context: int
    batch: int
    buffer_tokens: int
    bos: int | None
    left_out: frozenset[int] = frozenset()
    rows_at_once: int = 16
    seed: int = 0
    process: int = 0
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the texts a buffer begins: the number of the next text, and tokens left over from the last."""

    text: int
    rest: tuple[int, ...] = ()


class ActivationStream:
    """An iterator over batches {hook point: [batch, d]}; the same rows at all hook points. It ends with the texts."""

    def __init__(
        self,
        texts: Texts,
        tokenize: Tokenize,
        read: Read,
        plan: StreamPlan,
        filling: Callable[[int, int], None] = lambda held, of: None,
    ) -> None:
        """`filling` is told, while a buffer is read, how many tokens of how many it holds; it may raise Stopped."""
        self._texts, self._tokenize, self._read, self.plan = texts, tokenize, read, plan
        self._filling = filling
        self._place = Place(plan.process)
        self._buffer, self._batch = 0, 0

    def state(self) -> dict[str, Any]:
        """Plain numbers for `restore`: the buffer, where it begins, and how many batches of it were given out."""
        place = self._place
        return {"buffer": self._buffer, "batch": self._batch, "text": place.text, "rest": list(place.rest)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after the last batch that was given out before `state`."""
        self._place = Place(state["text"], tuple(state["rest"]))
        self._buffer, self._batch = state["buffer"], state["batch"]

    def __iter__(self) -> Iterator[Batch]:
        while True:
            filled, after = self._fill()
            order = self._order(filled)
            n_batches = len(order) // self.plan.batch
            if not n_batches:
                return
            for number in range(self._batch, n_batches):
                at = order[number * self.plan.batch : (number + 1) * self.plan.batch]
                self._batch = number + 1
                yield {point: held[at.to(held.device)] for point, held in filled.items()}
            self._place, self._buffer, self._batch = after, self._buffer + 1, 0

    def _order(self, filled: Mapping[HookPoint, Tensor]) -> Tensor:
        n = len(next(iter(filled.values()))) if filled else 0
        seed = (self.plan.seed * 1_000_003 + self._buffer) * self.plan.processes + self.plan.process
        return torch.randperm(n, generator=torch.Generator().manual_seed(seed))

    @torch.no_grad()
    def _fill(self) -> tuple[Batch, Place]:
        """(the next buffer, where the one after it begins)"""
        parts: dict[HookPoint, list[Tensor]] = {}
        held, after = 0, self._place
        left_out = torch.tensor(sorted(self.plan.left_out), dtype=torch.long)
        self._filling(0, self.plan.buffer_tokens)
        for rows, place in self._rows(self._place):
            ids = torch.tensor(rows, dtype=torch.long)
            kept = ~torch.isin(ids, left_out)
            for point, found in self._read(ids).items():
                parts.setdefault(point, []).append(found[kept.to(found.device)])
            held += int(kept.sum())
            after = place
            self._filling(min(held, self.plan.buffer_tokens), self.plan.buffer_tokens)
            if held >= self.plan.buffer_tokens:
                break
        return {point: torch.cat(found) for point, found in parts.items()}, after

    def _rows(self, place: Place) -> Iterator[tuple[list[list[int]], Place]]:
        """(up to rows_at_once rows of token ids, where the next row begins)"""
        length = self.plan.context - (self.plan.bos is not None)
        begin = [] if self.plan.bos is None else [self.plan.bos]
        rest, number = list(place.rest), place.text
        # Tokens are taken from the front by an index: cutting a long list at each row would copy it each time.
        rows: list[list[int]] = []
        texts = _every(self._texts, number, self.plan.processes)
        while True:
            at = 0
            while len(rest) - at >= length:
                rows.append(begin + rest[at : at + length])
                at += length
                if len(rows) == self.plan.rows_at_once:
                    yield rows, Place(number, tuple(rest[at:]))
                    rows = []
            rest = rest[at:]
            text = next(texts, None)
            if text is None:
                break
            rest += self._tokenize(text)
            number += self.plan.processes
        if rows:
            yield rows, Place(number, tuple(rest))


def _every(texts: Texts, first: int, step: int) -> Iterator[str]:
    for number, text in enumerate(texts.since(first)):
        if number % step == 0:
            yield text


class StoredStream:
    """Batches without end from activations [n, d] that are already there, shuffled anew each time round.

    BadInput where they are fewer than a batch, or not as many at one hook point as at another.
    """

    def __init__(self, points: Mapping[HookPoint, Tensor], batch: int, seed: int = 0) -> None:
        counts = {len(held) for held in points.values()}
        if len(counts) != 1 or min(counts) < batch:
            raise BadInput(
                f"activations: expected at least {batch}, a batch, as many at each hook point; found "
                f"{', '.join(f'{len(held)} at {point}' for point, held in points.items()) or 'none'}"
            )
        self._points, self._size, self._seed = points, batch, seed
        (self._n,) = counts
        self._turn, self._batch = 0, 0

    def state(self) -> dict[str, Any]:
        """Plain numbers for `restore`."""
        return {"turn": self._turn, "batch": self._batch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after the last batch that was given out before `state`."""
        self._turn, self._batch = state["turn"], state["batch"]

    def __iter__(self) -> Iterator[Batch]:
        while True:
            random = torch.Generator().manual_seed(self._seed * 1_000_003 + self._turn)
            order = torch.randperm(self._n, generator=random)
            for number in range(self._batch, self._n // self._size):
                chosen = order[number * self._size : (number + 1) * self._size]
                self._batch = number + 1
                yield {point: held[chosen.to(held.device)] for point, held in self._points.items()}
            self._turn, self._batch = self._turn + 1, 0
