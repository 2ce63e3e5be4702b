"""One token a row through a network in as few operations as it takes: what decoding costs beside the weights.

transformers' own forward spends most of a small model's step in Python around its operations: masks, caches,
decorators. A Decoder computes the same from the same modules' weights, for families of architectures that are written
down (rotary.py, gpt2.py, neox.py), and is used only where it was proved to give the network's own logits (__init__.py).

1. embed the tokens
2. of each block: norm, queries, keys and values, attention (attention.py), what it adds; norm, MLP, what it adds
3. final norm, logits
Steering acts on the stream between these (interventions.Steering.passes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from undersong.hook_points import HookPoint
from undersong.model.decoding.attention import attend
from undersong.model.decoding.parts import Onto, Step
from undersong.model.decoding.rows import Rows
from undersong.model.interventions import Steering


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What one request feeds: a token a row, `ids` [rows], after what `rows` hold, steered by `steering`."""

    ids: Tensor
    rows: Rows
    steering: Steering


@dataclass(frozen=True, slots=True, eq=False)
class _Fed:
    """A part at its place among all rows, `first` to `last`, and what its position does to queries and keys."""

    part: Part
    first: int
    last: int
    rotation: Any


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block's computations on the stream of one token a row, [rows, d_model].

    `project`: normed -> queries, keys and values in one [rows, ...]; `heads`: (of those what belongs to one request,
    what `Decoder.rotation` gives) -> queries [rows, n_heads, d_head], keys and values [rows, n_kv_heads, d_head], with
    their positions in them. `scale`, `softcap`: of attention's scores. `attended`: (what attention found
    [rows, n_heads * d_head], the stream) -> the stream with what attention adds; `mlp`: (normed, the stream) -> the
    stream with what the MLP adds. `side_by_side`: attention and MLP both read what enters the block. `window`: how many
    tokens attention sees, the one at hand among them; None: all.
    """

    layer: int
    norm: Step
    project: Step
    heads: Callable[[Tensor, Any], tuple[Tensor, Tensor, Tensor]]
    attended: Onto
    mlp_norm: Step
    mlp: Onto
    scale: float
    softcap: float | None = None
    window: int | None = None
    side_by_side: bool = False

    def step(self, hidden: Tensor, fed: Sequence[_Fed]) -> Tensor:
        """The stream after the block of what comes before it, steered before, within and after."""
        acts = any(each.part.steering.acts_in(self.layer) for each in fed)
        if acts:
            hidden = _steered(fed, HookPoint(self.layer, "resid_pre"), hidden)
        found = _each(fed, self.project(self.norm(hidden)), self._attention)
        after = self.attended(found, hidden)
        if self.side_by_side:
            after = self.mlp(self.mlp_norm(hidden), after)
        else:
            if acts:
                after = _steered(fed, HookPoint(self.layer, "resid_mid"), after)
            after = self.mlp(self.mlp_norm(after), after)
        return _steered(fed, HookPoint(self.layer, "resid_post"), after) if acts else after

    def _attention(self, projected: Tensor, fed: _Fed) -> Tensor:
        query, keys, values = self.heads(projected, fed.rotation)
        rows = fed.part.rows
        since = 0 if self.window is None else max(0, rows.length + 1 - self.window)
        own = rows.put(self.layer, keys, values, since)
        return attend(query, rows.prefix(self.layer, since), own, self.scale, self.softcap)


@dataclass(frozen=True, slots=True, eq=False)
class Decoder:
    """`embed`: (ids [rows], position) -> [rows, d_model]; `rotation`: what a position does to queries and keys, for
    `Block.heads`; `logits`: [rows, d_model] -> [rows, vocab]. `is_light`: one thread decodes as fast as several."""

    embed: Callable[[Tensor, int], Tensor]
    rotation: Callable[[int], Any]
    blocks: tuple[Block, ...]
    logits: Step
    is_light: bool = False

    @torch.inference_mode()
    def step(self, parts: Sequence[Part]) -> list[Tensor]:
        """Of each part the logits [rows, vocab] after one more token a row; its rows grow by it.

        Weights are read once for all parts, whatever stands before them and however long that is.
        """
        embedded = [self.embed(part.ids, part.rows.length) for part in parts]
        ends = list(accumulate(part.rows.count for part in parts))
        fed = [
            _Fed(part, end - part.rows.count, end, self.rotation(part.rows.length))
            for part, end in zip(parts, ends, strict=True)
        ]
        hidden = embedded[0] if len(parts) == 1 else torch.cat(embedded)
        for block in self.blocks:
            hidden = block.step(hidden, fed)
        for part in parts:
            part.rows.grow()
        logits = self.logits(hidden)
        return [logits] if len(parts) == 1 else [logits[each.first : each.last] for each in fed]


def _each(fed: Sequence[_Fed], values: Tensor, of: Callable[[Tensor, _Fed], Tensor]) -> Tensor:
    """`of` what belongs to each part of `values` [rows, d], one below the other."""
    if len(fed) == 1:
        return of(values, fed[0])
    return torch.cat([of(values[each.first : each.last], each) for each in fed])


def _steered(fed: Sequence[_Fed], point: HookPoint, hidden: Tensor) -> Tensor:
    return _each(fed, hidden, lambda stream, each: each.part.steering.passes(point, stream[:, None])[:, 0])
