"""One more token a row: by the model's decoder where it has one that can carry what steers, else by its network."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext
from typing import Protocol, TypeVar

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from undersong.model.decoding.decoder import Decoder, Part, Rows
from undersong.model.interventions import Steering
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.recurrent import State, states_of, take_back
from undersong.model.threads import one_thread

T = TypeVar("T")


class Wanted:
    """A step that somebody waits for, and that may be taken together with those of others: `run` fills `logits`."""

    def __init__(self, decoder: Decoder, part: Part) -> None:
        self.decoder, self.part = decoder, part
        self.logits: Tensor | None = None

    @property
    def kind(self) -> Decoder:
        """Steps of one kind can be taken together."""
        return self.decoder

    def run(self, others: Sequence[Wanted] = ()) -> None:
        """Take this step, and `others` of its kind in the same pass."""
        together = (self, *others)
        with one_thread() if self.decoder.on_one_thread else nullcontext():
            found = self.decoder.step([each.part for each in together])
        for each, logits in zip(together, found, strict=True):
            each.logits = logits.to(torch.float32)

    def done(self) -> Tensor:
        """[rows, vocab] float32: by itself where nobody has run it."""
        if self.logits is None:
            self.run()
        assert self.logits is not None
        return self.logits


Asked = Generator[Wanted, None, Tensor]


def alone(asked: Generator[Wanted, None, T]) -> T:
    """What it comes to, each step taken by itself."""
    while True:
        try:
            next(asked)
        except StopIteration as end:
            return end.value


class Steps(Protocol):
    """Rows that are fed token by token, each position steered."""

    @property
    def length(self) -> int:
        """Tokens fed so far, those of the prompt with them."""
        ...

    def asked(self, ids: Sequence[int]) -> Asked:
        """Yields the step if it may be taken together with others; returns the logits [rows, vocab] float32 after one
        more token a row."""
        ...

    def take_back(self) -> None:
        """As if the last tokens had not been fed."""
        ...


Begin = Callable[[Steering], Steps]
"""Steps that are steered so, from where it says."""


def after_window(model: LanguageModel, window: WindowCache, n: int, rows: int) -> Begin:
    """After the first `n` tokens of `window`, which stays as it is."""

    def begin(steering: Steering) -> Steps:
        decoder = model.decoder
        if decoder is None or not steering.in_stream:
            return NetworkSteps(model, window.fork(n, rows), steering)
        return DecoderSteps(model, decoder, decoder.rows(window.held(n), n, rows), steering)

    return begin


def after_cache(model: LanguageModel, cache: DynamicCache) -> Begin:
    """After what `cache` holds, which grows: by the network, whatever rows it has."""
    return lambda steering: NetworkSteps(model, cache, steering)


class DecoderSteps:
    """Steps of a decoder."""

    def __init__(self, model: LanguageModel, decoder: Decoder, rows: Rows, steering: Steering) -> None:
        self._model, self._decoder, self._rows, self._steering = model, decoder, rows, steering

    @property
    def length(self) -> int:
        return self._rows.length

    def asked(self, ids: Sequence[int]) -> Asked:
        fed = torch.tensor(ids, device=self._model.device)
        wanted = Wanted(self._decoder, Part(fed, self._rows, self._steering))
        yield wanted
        return wanted.done()

    def take_back(self) -> None:
        self._rows.take_back()


class NetworkSteps:
    """Steps of a network by its own forward, steered by hooks; `cache` grows."""

    def __init__(self, model: LanguageModel, cache: DynamicCache, steering: Steering) -> None:
        self._model, self._cache, self._steering = model, cache, steering
        self._before: list[State | None] = []

    @property
    def length(self) -> int:
        return self._cache.get_seq_length()

    def asked(self, ids: Sequence[int]) -> Asked:
        yield from ()
        self._before = states_of(self._cache.layers)
        with self._steering:
            logits = self._model.logits(self._model.tensor([[token] for token in ids]), self._cache)[:, -1]
        return logits.to(torch.float32)

    def take_back(self) -> None:
        take_back(self._cache, self._before)
