"""One text as the model read it, untouched: values at every place, active features, errors; and runs that begin there.

Only the positions from `start` on are traced. What stands before them (the beginning-of-text token, and older text
than anybody wants to look at) is context: it is held as it was, keys and values, in every run.

A run begins at any position and above any block, with rows that differ from one another; only what can differ is
computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from undersong.circuits.coders import Coder, places_of
from undersong.errors import BadText
from undersong.hook_points import HookPoint
from undersong.model.blocks import skipped
from undersong.model.fork import growing_cache
from undersong.model.kept import Kept
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.recurrent import layer_after, states_of

TOKENS = HookPoint(0, "resid_pre")
"""Where the embeddings of the tokens are."""
Change = Callable[[Tensor], Tensor]
ROW_TOKENS = {"cpu": 1024}
"""Tokens of a batch of runs. On a CPU more are not faster, and a step of the device thread should end soon."""
MANY_ROW_TOKENS = 32768


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """The active features of one coder: where (counted from `start`), which, how strongly. All [m], by position."""

    positions: Tensor
    features: Tensor
    activations: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Clean:
    """`ids`: all that the model sees, n of them; traced are `start`.. n - 1, `length` positions.

    `values`: at each place, at each point where a coder reads, at TOKENS and at the end of each block, [length, d].
    `active`: of each coder. `errors`: at each place [length, d], what its coders do not rebuild.
    `logits`: [vocab_size] float32 after the last token.
    """

    model: LanguageModel
    coders: tuple[Coder, ...]
    places: tuple[HookPoint, ...]
    ids: tuple[int, ...]
    start: int
    window: WindowCache
    values: dict[HookPoint, Tensor]
    active: tuple[Active, ...]
    errors: dict[HookPoint, Tensor]
    logits: Tensor

    @property
    def length(self) -> int:
        return len(self.ids) - self.start

    @property
    def last(self) -> HookPoint:
        """The end of the last block."""
        return HookPoint(self.model.n_layers - 1)


@torch.inference_mode()
def read(model: LanguageModel, coders: Sequence[Coder], ids: Sequence[int], start: int) -> Clean:
    """`ids` as the model reads them. BadText where nothing is to be traced or the model's context is exceeded."""
    if not 0 <= start < len(ids):
        raise BadText(f"tracing: expected at least one token before the word, found {max(0, len(ids) - start)}")
    places, last = places_of(coders), HookPoint(model.n_layers - 1)
    ends = [HookPoint(layer) for layer in range(model.n_layers)]
    window = WindowCache(model, {*places, *(coder.reads for coder in coders), TOKENS, *ends})
    # Copies: a part of a window would hold all of it.
    values = {point: value[start:].clone() for point, value in window.extend(ids).items()}
    active: list[Active] = []
    rebuilt = {place: torch.zeros_like(values[place], dtype=torch.float32) for place in places}
    for coder in coders:
        x = values[coder.reads]
        acts = coder.encode(x)
        positions, features = acts.nonzero(as_tuple=True)
        active.append(Active(positions, features, acts[positions, features].float()))
        for place, part in zip(coder.writes, rebuild(coder, x, acts), strict=True):
            rebuilt[place] += part
    errors = {place: values[place].float() - rebuilt[place] for place in places}
    logits = model.unembed(values[last][-1:])[0].float()
    return Clean(model, tuple(coders), places, tuple(ids), start, window, values, tuple(active), errors, logits)


def rebuild(coder: Coder, x: Tensor, acts: Tensor) -> tuple[Tensor, ...]:
    """For each place that the coder writes [n, d] float32: what is rebuilt of activations [n, d_sae], which need not be
    those of the inputs x [n, d_in]: unit and constant are."""
    n, used = len(x), acts.any(dim=0).nonzero()[:, 0]
    weighted = acts[:, used] * coder.unit(x)
    constant = coder.constant(x)
    vectors = coder.vectors(used) if len(used) else tuple(each.new_zeros(0, each.shape[-1]) for each in constant)
    return tuple(
        (weighted @ each + still).float().reshape(n, -1) for each, still in zip(vectors, constant, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of the network a run computes: positions from `begin` (counted from `start`), blocks `first`..`last`.

    Below `first` nothing runs; what enters it is `entering` [rows, length - begin, d_model], None where `first` is 0.
    """

    begin: int
    first: int
    last: int
    entering: Tensor | None = None


def row_tokens(clean: Clean) -> int:
    return ROW_TOKENS.get(clean.model.device.type, MANY_ROW_TOKENS)


def run(
    clean: Clean,
    rows: int,
    span: Span,
    captured: Iterable[HookPoint],
    replaced: Sequence[tuple[HookPoint, Change]] = (),
    added: Sequence[tuple[HookPoint, Change]] = (),
    found: dict[HookPoint, Tensor] | None = None,
) -> dict[HookPoint, Tensor]:
    """What passes at `captured` [rows, length - begin, d], where values are `replaced` and deltas `added`.

    What is replaced or added to is captured as it came. `found` is filled as values pass, for hooks that need them.
    """
    model, at = clean.model, clean.start + span.begin
    idle = [layer for layer in range(model.n_layers) if not span.first <= layer <= span.last]
    emit = {} if span.entering is None else {span.first - 1: span.entering}
    with model.sites.captured(captured, found) as found, skipped(model.blocks, idle, emit), ExitStack() as stack:
        for point, change in replaced:
            stack.enter_context(model.sites.replaced(point, change))
        for point, delta in added:
            stack.enter_context(model.sites.added(point, delta))
        cache = _prefix(clean, at, rows)
        ids = model.tensor([list(clean.ids[at:])]).expand(rows, -1)
        model.body(input_ids=ids, past_key_values=cache, use_cache=cache is not None)
    return found


def _prefix(clean: Clean, at: int, rows: int) -> DynamicCache | None:
    if at == 0:
        return None
    fork = clean.window.fork(at, rows)
    return growing_cache(map(_recordable, clean.model.kept, fork.layers)) if torch.is_grad_enabled() else fork


def _recordable(kept: Kept, layer: Any) -> Any:
    """A copy that gradients may pass beside: tensors made in inference mode may not be kept for a backward pass."""
    made, state = DynamicLayer(), states_of([layer])[0]
    if kept.attends:
        held = layer.attention if kept.states else layer
        made.lazy_initialization(held.keys, held.values)
        made.keys, made.values = held.keys.clone(), held.values.clone()
    return layer_after(kept, made, state)
