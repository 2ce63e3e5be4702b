"""Decoding by torch's operations: on any device, in any type."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from undersong.hook_points import HookPoint
from undersong.model.decoding.attention import attend
from undersong.model.decoding.decoder import Held, Part
from undersong.model.decoding.plan import BlockPlan, Norm, Plan
from undersong.model.decoding.rotations import Rotations
from undersong.model.decoding.rows import SharedRows


@dataclass(frozen=True, slots=True, eq=False)
class _Fed:
    """A part at its place among all rows, `first` to `last`, and by what its position turns heads."""

    part: Part
    first: int
    last: int
    turn: tuple[Tensor, Tensor] | None


class PlainDecoder:
    """1. embed the tokens 2. of each block: norm, queries, keys and values, attention (attention.py), what it adds;
    norm, MLP, what it adds 3. final norm, logits."""

    on_one_thread = False
    nbytes = 0

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._rotations = None if plan.rotary is None else Rotations(plan.rotary, plan.tokens)

    def rows(self, prefix: Sequence[Held], n: int, count: int) -> SharedRows:
        return SharedRows(prefix, n, count)

    @torch.inference_mode()
    def step(self, parts: Sequence[Part]) -> list[Tensor]:
        bounds = [0, *accumulate(part.rows.count for part in parts)]
        fed = [
            _Fed(part, first, last, None if self._rotations is None else self._rotations[part.rows.length])
            for part, (first, last) in zip(parts, pairwise(bounds), strict=True)
        ]
        hidden = torch.cat([embedded(self.plan, part) for part in parts])
        for layer, block in enumerate(self.plan.blocks):
            hidden = self._after(layer, block, hidden, fed)
        for part in parts:
            cast(SharedRows, part.rows).grow()
        logits = _called(self.plan.head, _normed(self.plan.norm, hidden))
        if self.plan.cap is not None:
            logits = torch.tanh(logits / self.plan.cap) * self.plan.cap
        return [logits[each.first : each.last] for each in fed]

    def _after(self, layer: int, block: BlockPlan, hidden: Tensor, fed: Sequence[_Fed]) -> Tensor:
        """The stream after a block of what comes before it, steered before, within and after."""
        plan = self.plan
        acts = any(each.part.steering.acts_in(layer) for each in fed)
        if acts:
            hidden = _steered(fed, HookPoint(layer, "resid_pre"), hidden)
        projected = torch.cat(
            [_called(module, x) for x in [_normed(block.norm, hidden)] for module in block.project], -1
        )
        found = _each(fed, projected, lambda values, each: self._attention(layer, block, values, each))
        after = hidden + _written(block.out, block.out_norm, found)
        if acts and not plan.side_by_side:
            after = _steered(fed, HookPoint(layer, "resid_mid"), after)
        x = _normed(block.mlp_norm, hidden if plan.side_by_side else after)
        inner = [_called(module, x) for module in block.up]
        inner[0] = plan.activation(inner[0])
        after = after + _written(block.down, block.down_norm, inner[0] if len(inner) == 1 else inner[0] * inner[1])
        return _steered(fed, HookPoint(layer, "resid_post"), after) if acts else after

    def _attention(self, layer: int, block: BlockPlan, projected: Tensor, fed: _Fed) -> Tensor:
        plan = self.plan
        if block.by_head:
            query, keys, values = projected.view(projected.shape[0], plan.n_heads, 3, plan.d_head).unbind(2)
        else:
            heads = projected.view(projected.shape[0], -1, plan.d_head)
            query, keys, values = heads.split((plan.n_heads, plan.n_kv_heads, plan.n_kv_heads), dim=1)
        query = _turned(query if block.q_norm is None else _normed(block.q_norm, query), fed.turn)
        keys = _turned(keys if block.k_norm is None else _normed(block.k_norm, keys), fed.turn)
        rows = cast(SharedRows, fed.part.rows)
        since = 0 if block.window is None else max(0, rows.length + 1 - block.window)
        own = rows.put(layer, keys, values, since)
        return attend(query, rows.prefix(layer, since), own, plan.scale, plan.softcap)


def embedded(plan: Plan, part: Part) -> Tensor:
    """[rows, d_model] of a part's tokens at their position."""
    found = F.embedding(part.ids, plan.tokens)
    if plan.embed_scale is not None:
        found = found * torch.tensor(plan.embed_scale, dtype=found.dtype, device=found.device)
    return found if plan.positions is None else found + plan.positions[part.rows.length]


def _called(module: nn.Module, x: Tensor) -> Tensor:
    # Without what torch does around a module's forward.
    return cast(Any, module).forward(x)


def _normed(norm: Norm, x: Tensor) -> Tensor:
    """x [..., d]"""
    if norm.centred:
        return F.layer_norm(x, norm.gain.shape, norm.gain, norm.bias, norm.eps)
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + norm.eps) * norm.gain).to(x.dtype)


def _written(module: nn.Module, norm: Norm | None, x: Tensor) -> Tensor:
    found = _called(module, x)
    return found if norm is None else _normed(norm, found)


def _turned(heads: Tensor, turn: tuple[Tensor, Tensor] | None) -> Tensor:
    """`heads` [rows, heads, d_head] at a position."""
    if turn is None:
        return heads
    cosines, sines = turn
    half = cosines.shape[0]
    first, second, still = heads.split((half, half, heads.shape[2] - 2 * half), dim=2)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines, still], dim=2)


def _each(fed: Sequence[_Fed], values: Tensor, of: Callable[[Tensor, _Fed], Tensor]) -> Tensor:
    """`of` what belongs to each part of `values` [rows, d], one below the other."""
    return torch.cat([of(values[each.first : each.last], each) for each in fed])


def _steered(fed: Sequence[_Fed], point: HookPoint, hidden: Tensor) -> Tensor:
    return _each(fed, hidden, lambda stream, each: each.part.steering.passes(point, stream[:, None])[:, 0])
