"""Decoding in float32 on the CPU by compiled kernels.

A light model is computed by them whole, on one thread: its weights are copied in float16, which must hold them. Of any
other the kernels compute what stands between the products, and torch those, which all its threads share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from undersong.hook_points import HookPoint, Site
from undersong.model.decoding.decoder import Held, Part
from undersong.model.decoding.native import kernels
from undersong.model.decoding.native import tables as t
from undersong.model.decoding.native.rows import NativeRows
from undersong.model.decoding.plain import embedded
from undersong.model.decoding.plan import BlockPlan, Plan, is_light, linear_modules, shape_of
from undersong.model.decoding.rotations import Rotations
from undersong.packed import is_exact

# numba makes of a function what type checkers cannot follow.
_run: Any = kernels.run

_PRODUCTS = (1, 3, 6, 8)
"""Pieces of a block that multiply."""
_STREAM: tuple[tuple[Site, int], ...] = (("resid_pre", 0), ("resid_mid", 5), ("resid_post", kernels.PIECES))
"""Where the stream is steered, and after how many pieces of a block."""


def native_decoder(plan: Plan) -> NativeDecoder | None:
    """None where the kernels do not compute this plan: another device or type, another activation."""
    if plan.tokens.device.type != "cpu" or plan.tokens.dtype != torch.float32:
        return None
    weights = [t.parts_of(module)[0] for module in linear_modules(plan)] if is_light(linear_modules(plan)) else []
    multiplies = bool(weights) and all(map(is_exact, weights))
    found = t.tables(plan, multiplies)
    return None if found is None else NativeDecoder(plan, found, multiplies)


class NativeDecoder:
    def __init__(self, plan: Plan, tables: t.Tables, multiplies: bool) -> None:
        self.on_one_thread = self._multiplies = multiplies
        self.nbytes = tables.nbytes
        self._plan, self._tables = plan, tables
        self._rotations = None if plan.rotary is None else Rotations(plan.rotary, plan.tokens)
        turning = 0 if self._rotations is None else self._rotations[0][0].shape[0]
        self._buffers = lru_cache(maxsize=8)(lambda rows: _Buffers(plan, rows, turning))
        self._scores = np.empty(0, np.float32)

    def rows(self, prefix: Sequence[Held], n: int, count: int) -> NativeRows:
        plan = self._plan
        return NativeRows(prefix, n, count, len(plan.blocks), plan.n_kv_heads, plan.d_head)

    @torch.inference_mode()
    def step(self, parts: Sequence[Part]) -> list[Tensor]:
        count = sum(part.rows.count for part in parts)
        lines, bounds = np.empty((count, t.ROW), np.int64), [0]
        buffers = self._buffers(count)
        for part in parts:
            rows = cast(NativeRows, part.rows)
            first, last = bounds[-1], bounds[-1] + rows.count
            bounds.append(last)
            buffers.hidden[first:last] = embedded(self._plan, part)
            lines[first:last] = rows.lines()
            if self._rotations is not None:
                buffers.cosines[first:last], buffers.sines[first:last] = self._rotations[rows.length]
        longest = max(part.rows.length for part in parts) + 1
        if len(self._scores) < longest:
            self._scores = np.empty(longest + 1024, np.float32)
        self._through_blocks(_Pass(self, buffers, lines), parts, bounds)
        for part in parts:
            cast(NativeRows, part.rows).grow()
        logits = self._logits(buffers, count)
        return [logits[first:last] for first, last in pairwise(bounds)]

    def _through_blocks(self, through: _Pass, parts: Sequence[Part], bounds: Sequence[int]) -> None:
        n = len(self._plan.blocks)
        for layer in [layer for layer in range(n) if any(part.steering.acts_in(layer) for part in parts)]:
            for site, pieces in _STREAM:
                point, hidden = HookPoint(layer, site), through.buffers.hidden
                acting = [each for each in zip(parts, pairwise(bounds), strict=True) if each[0].steering.acts_at(point)]
                if acting:
                    through.upto(kernels.PIECES * layer + pieces)
                for part, (first, last) in acting:
                    # A copy: what is read here is kept until it is needed at another place.
                    hidden[first:last] = part.steering.passes(point, hidden[first:last, None].clone())[:, 0]
        through.upto(kernels.PIECES * n)

    def _logits(self, buffers: _Buffers, count: int) -> Tensor:
        plan, tables = self._plan, self._tables
        logits = torch.empty((count, shape_of(plan.head)[0]) if self._multiplies else (0, 0))
        kernels.finish(
            tables.dims, tables.reals, tables.small, buffers.hidden.numpy(), buffers.normal.numpy(), logits.numpy(),
            self._multiplies,
        )  # fmt: skip
        if not self._multiplies:
            logits = _called(plan.head)(buffers.normal)
        return logits if plan.cap is None else torch.tanh(logits / plan.cap) * plan.cap


class _Buffers:
    """What stands between the pieces, for a number of rows: the same memory as tensors and as arrays."""

    def __init__(self, plan: Plan, rows: int, turning: int) -> None:
        d, inner = plan.tokens.shape[1], plan.d_mlp * len(plan.blocks[0].up)
        projected = (plan.n_heads + 2 * plan.n_kv_heads) * plan.d_head

        def made(width: int) -> Tensor:
            return torch.empty((rows, width))

        self.cosines, self.sines = made(turning), made(turning)
        self.hidden, self.normal, self.second = made(d), made(d), made(d)
        self.projected, self.found = made(projected), made(plan.n_heads * plan.d_head)
        self.inner, self.acted = made(inner), made(plan.d_mlp)
        named = (self.cosines, self.sines, self.hidden, self.normal, self.second, self.projected, self.found,
                 self.inner, self.acted)  # fmt: skip
        self.arrays = tuple(each.numpy() for each in named)
        """In the order of `kernels.run`."""


class _Pass:
    """One step's way through the blocks."""

    def __init__(self, decoder: NativeDecoder, buffers: _Buffers, lines: t.Ints) -> None:
        self.buffers = buffers
        self._at = 0
        self._multiplies = decoder.on_one_thread
        self._blocks = decoder._plan.blocks
        tables = decoder._tables
        self._given: tuple[Any, ...] = (
            tables.dims, tables.reals, tables.small, tables.blocks, lines, *buffers.arrays, decoder._scores,
        )  # fmt: skip

    def upto(self, piece: int) -> None:
        """All pieces before that one that were not computed yet."""
        if self._multiplies:
            self._kernels(piece, True)
        for number in range(self._at, piece):
            layer, kind = divmod(number, kernels.PIECES)
            if kind in _PRODUCTS:
                self._kernels(number, False)
                self._product(self._blocks[layer], kind)
                self._at = number + 1
        self._kernels(piece, False)

    def _kernels(self, piece: int, multiplies: bool) -> None:
        if piece > self._at:
            _run(*self._given, self._at, piece, multiplies)
            self._at = piece

    def _product(self, block: BlockPlan, kind: int) -> None:
        buffers = self.buffers
        match kind:
            case 1:
                _products(block.project, buffers.normal, buffers.projected)
            case 3:
                _products((block.out,), buffers.found, buffers.normal)
            case 6:
                _products(block.up, buffers.second, buffers.inner)
            case _:
                _products((block.down,), buffers.acted, buffers.normal)


def _products(modules: Sequence[nn.Module], x: Tensor, out: Tensor) -> None:
    """What each gives, side by side in `out`."""
    first = 0
    for module in modules:
        found = _called(module)(x)
        out[:, first : first + found.shape[1]] = found
        first += found.shape[1]


def _called(module: nn.Module) -> Callable[[Tensor], Tensor]:
    # Without what torch does around a module's forward.
    return cast(Any, module).forward
