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

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from undersong.hook_points import HookPoint
from undersong.model.decoding.attention import attend
from undersong.model.decoding.parts import Onto, Step
from undersong.model.decoding.rows import Rows
from undersong.model.interventions import Steering


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """One block's computations on the stream of one token a row, [rows, d_model].

    `heads`: (normed, what `Decoder.rotation` gives) -> queries [rows, n_heads, d_head], keys and values
    [rows, n_kv_heads, d_head], with their positions in them. `scale`, `softcap`: of attention's scores. `attended`:
    (what attention found [rows, n_heads * d_head], the stream) -> the stream with what attention adds; `mlp`: (normed,
    the stream) -> the stream with what the MLP adds. `side_by_side`: attention and MLP both read what enters
    the block. `window`: how many tokens attention sees, the one at hand among them; None: all.
    """

    layer: int
    norm: Step
    heads: Callable[[Tensor, Any], tuple[Tensor, Tensor, Tensor]]
    attended: Onto
    mlp_norm: Step
    mlp: Onto
    scale: float
    softcap: float | None = None
    window: int | None = None
    side_by_side: bool = False

    def step(self, hidden: Tensor, rows: Rows, rotation: Any, middle: Step | None) -> Tensor:
        """The stream after the block of what comes before it; `middle` changes it between attention and MLP."""
        query, keys, values = self.heads(self.norm(hidden), rotation)
        since = 0 if self.window is None else max(0, rows.length + 1 - self.window)
        own = rows.put(self.layer, keys, values, since)
        found = attend(query, rows.prefix(self.layer, since), own, self.scale, self.softcap)
        after = self.attended(found, hidden)
        if self.side_by_side:
            return self.mlp(self.mlp_norm(hidden), after)
        if middle is not None:
            after = middle(after)
        return self.mlp(self.mlp_norm(after), after)


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
    def step(self, ids: Tensor, rows: Rows, steering: Steering) -> Tensor:
        """Logits [rows, vocab] after one more token a row, `ids` [rows]; `rows` grow by it."""
        hidden, rotation = self.embed(ids, rows.length), self.rotation(rows.length)
        for layer, block in enumerate(self.blocks):
            if steering.acts_in(layer):
                hidden = _steered(steering, HookPoint(layer, "resid_pre"), hidden)
                middle = partial(_steered, steering, HookPoint(layer, "resid_mid"))
                hidden = block.step(hidden, rows, rotation, middle)
                hidden = _steered(steering, HookPoint(layer, "resid_post"), hidden)
            else:
                hidden = block.step(hidden, rows, rotation, None)
        rows.grow()
        return self.logits(hidden)


def _steered(steering: Steering, point: HookPoint, hidden: Tensor) -> Tensor:
    return steering.passes(point, hidden[:, None])[:, 0]
