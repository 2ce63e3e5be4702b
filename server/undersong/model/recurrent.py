"""Blocks with recurrent states: linear attention, state spaces, short convolutions.

A state stands for all tokens so far and cannot be cropped. So copies of it are kept as they were after some of the
window's tokens; where another is wanted, the blocks run again from the nearest copy before it. Copies lie the closer
the nearer they are to the end, so that what is run again is about as long, at most, as what comes after it and would
have to be read anew after an edit there in any case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor
from transformers.cache_utils import (
    Cache,
    DummyLayer,
    DynamicLayer,
    LinearAttentionAndFullAttentionLayer,
    LinearAttentionCacheLayerMixin,
    LinearAttentionLayer,
)

from undersong.model.fork import growing_cache
from undersong.model.kept import Kept
from undersong.model.stored import Run, Stored, view

if TYPE_CHECKING:
    from undersong.model.language_model import LanguageModel

COPIES = 8
"""Of the states of one window's blocks."""
_PROBE = range(1, 13)
_PROBE_CUTS = (2, 7, 11)
"""Parts that are shorter and longer than a convolution, and one token."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The states of one block, of each a row a text: its convolution's last inputs [rows, d, kernel] and what recurs
    [rows, ...], None where it has none; `kernels` are the convolutions' sizes. Nobody writes into the tensors."""

    conv: tuple[Tensor | None, ...]
    recurrent: tuple[Tensor | None, ...]
    kernels: tuple[int | None, ...]

    @staticmethod
    def of(layer: LinearAttentionCacheLayerMixin) -> State | None:
        """A copy; None before the first token."""
        if not any(layer.has_previous_state.values()):
            return None
        conv, recurrent = (
            tuple(None if held is None else held.clone() for held in states.values())
            for states in (layer.conv_states, layer.recurrent_states)
        )
        return State(conv, recurrent, tuple(layer.conv_kernel_size.values()))

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.conv, *self.recurrent) if tensor is not None)

    def rows(self, picked: Tensor) -> State:
        """Its rows of these indices."""
        conv, recurrent = (
            tuple(None if held is None else held.index_select(0, picked.to(held.device)) for held in states)
            for states in (self.conv, self.recurrent)
        )
        return State(conv, recurrent, self.kernels)

    def put(self, layer: LinearAttentionCacheLayerMixin) -> None:
        """Let `layer` go on from here, in tensors of its own: it writes into them."""
        for at, (conv, recurrent) in enumerate(zip(self.conv, self.recurrent, strict=True)):
            layer.conv_states[at] = None if conv is None else conv.clone()
            layer.recurrent_states[at] = None if recurrent is None else recurrent.clone()
            layer.is_conv_states_initialized[at] = conv is not None
            layer.is_recurrent_states_initialized[at] = recurrent is not None
            layer.conv_kernel_size[at] = self.kernels[at]  # pyright: ignore[reportArgumentType]
            layer.has_previous_state[at] = True
            if layer.device is None and conv is not None:
                layer.dtype, layer.device = conv.dtype, conv.device  # pyright: ignore[reportAttributeAccessIssue]


class AttendingLayer(LinearAttentionAndFullAttentionLayer):
    """Of a block that both attends and recurs: `attention` keeps the keys and values, whichever layer that is."""

    def __init__(self, attention: DynamicLayer, states: int) -> None:
        super().__init__(states)
        self.attention = attention

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.attention.update(key_states, value_states, *args, **kwargs)

    def get_seq_length(self) -> int:
        return self.attention.get_seq_length()

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.attention.get_mask_sizes(query_length)

    def crop(self, tokens_to_remove: int) -> None:
        raise TypeError("crop: a recurrent state cannot be cropped; see take_back")


def layer_after(kept: Kept, attention: DynamicLayer, state: State | None) -> Any:
    """A cache layer that goes on from there, as transformers wants it of such a block.

    `attention` itself grows; `state` is copied.
    """
    if not kept.states:
        return attention if kept.attends else DummyLayer()
    layer = AttendingLayer(attention, kept.states) if kept.attends else LinearAttentionLayer(kept.states)
    if state is not None:
        state.put(layer)
    return layer


def states_of(layers: Sequence[Any]) -> list[State | None]:
    """A copy of what each layer of a cache holds; None where it recurs not, or has not begun."""
    return [State.of(layer) if isinstance(layer, LinearAttentionCacheLayerMixin) else None for layer in layers]


def take_back(cache: Cache, states: Sequence[State | None]) -> None:
    """As if the last token of each row had not been fed: `states` are those from before it."""
    for layer, state in zip(cache.layers, states, strict=True):
        if isinstance(layer, AttendingLayer):
            layer.attention.crop(-1)
        elif isinstance(layer, DynamicLayer):
            layer.crop(-1)
        if isinstance(layer, LinearAttentionCacheLayerMixin):
            if state is None:
                layer.reset()
            else:
                state.put(layer)


def fresh_layers(kept: Sequence[Kept]) -> list[Any]:
    """Those of an empty cache."""
    return [layer_after(each, DynamicLayer(), None) for each in kept]


def goes_on(model: LanguageModel) -> bool:
    """Whether tokens read in parts have the logits that they have read at once. Some of transformers' networks begin
    anew where several tokens follow a state."""
    ids = [token % model.vocab_size for token in _PROBE]
    whole, parts = growing_cache(fresh_layers(model.kept)), growing_cache(fresh_layers(model.kept))
    expected = model.logits(model.tensor([ids]), whole)[0]
    ends = (*_PROBE_CUTS, len(ids))
    read = [model.logits(model.tensor([ids[a:b]]), parts)[0] for a, b in zip((0, *ends), ends, strict=False)]
    # Two ways to compute the same: in bfloat16 they are some hundredths apart.
    rounding = torch.finfo(model.dtype).eps ** 0.5 * expected.abs().max()
    return bool(((torch.cat(read) - expected).abs() <= rounding).all())


class Recurrent(Stored):
    """A Stored of blocks some of which recur; those that do not attend have no keys and values in `layers`."""

    def __init__(self, kept: Sequence[Kept]) -> None:
        super().__init__(kept)
        self._copies: dict[int, list[State | None]] = {}
        """After so many tokens, of each block; in rising order. After none there is no state."""

    @property
    def nbytes(self) -> int:
        copies = (state for states in self._copies.values() for state in states)
        return super().nbytes + sum(state.nbytes for state in copies if state is not None)

    def shorten(self, n: int) -> None:
        super().shorten(n)
        self._copies = {at: states for at, states in self._copies.items() if at <= n}

    def grow(self, stop: int, run: Run) -> None:
        start = self.length
        layers = self._after(self.layers, self._states(start, run))
        try:
            run(layers, start, stop)
            states = states_of(layers)
        except BaseException:
            self.shorten(start)
            raise
        self.length = stop
        self._keep(stop, states)

    def fork(self, n: int, rows: int, run: Run) -> list[Any]:
        each = torch.zeros(rows, dtype=torch.long)
        states = [None if state is None else state.rows(each) for state in self._states(n, run)]
        return self._after(super().fork(n, rows, run), states)

    def branch(self, n: int) -> Self:
        made = super().branch(n)
        made._copies = {at: states for at, states in self._copies.items() if at <= n}
        return made

    def _after(self, layers: Sequence[DynamicLayer], states: Sequence[State | None]) -> list[Any]:
        return [layer_after(*each) for each in zip(self.kept, layers, states, strict=True)]

    def _states(self, n: int, run: Run) -> list[State | None]:
        """After exactly `n` tokens."""
        nearest = max((at for at in self._copies if at <= n), default=0)
        found = self._copies.get(nearest, [None] * len(self.kept))
        if nearest < n:
            # The keys and values that come of it are those that are there already.
            layers = self._after([view(layer, nearest) for layer in self.layers], found)
            run(layers, nearest, n)
            found = states_of(layers)
            self._keep(n, found)
        return found

    def _keep(self, n: int, states: list[State | None]) -> None:
        """Put a copy by. Of too many the one goes whose neighbours are closest to each other, for how far from the end
        they are; but neither this one nor the last."""
        if n == 0:
            return
        self._copies = dict(sorted({**self._copies, n: states}.items()))
        if len(self._copies) > COPIES:
            places = [0, *self._copies]
            crowded = [
                ((after - before) / (places[-1] - before), at)
                for before, at, after in zip(places, places[1:], places[2:], strict=False)
                if at != n
            ]
            del self._copies[min(crowded)[1]]
