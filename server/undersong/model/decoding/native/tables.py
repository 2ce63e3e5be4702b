"""A Plan as the numbers that kernels.py computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from undersong.model.decoding.plan import Norm, Plan

# Of a network, `dims`. QUERY, KEY, VALUE: where the first head's stand among what is projected; STEP: to the next.
(
    D_MODEL, N_HEADS, N_KV_HEADS, D_HEAD, QUERY, KEY, VALUE, STEP, CENTRED, SIDE_BY_SIDE, ACTIVATION, FINAL_NORM,
    FINAL_NORM_BIAS, HEAD, HEAD_BIAS, DIMS,
) = range(16)  # fmt: skip
# `reals`; 0 stands for no softcap.
EPS, SCALE, SOFTCAP, REALS = range(4)
# Of a block, a line of `blocks`: addresses of float16 matrices, places of the first number in `small` (-1: none).
(
    NORM, NORM_BIAS, PROJECT, PROJECT_BIAS, Q_NORM, K_NORM, OUT, OUT_BIAS, OUT_NORM, MLP_NORM, MLP_NORM_BIAS, UP,
    UP_BIAS, DOWN, DOWN_BIAS, DOWN_NORM, WINDOW, BLOCK,
) = range(18)  # fmt: skip
# Of a row, a line of `rows`: the address of its request's table, which row of that request it is, how many tokens stand
# in the prefix and how many it has itself.
TABLE, INDEX, SHARED, WRITTEN, ROW = range(5)
# Of a request in one block, a line of its table: addresses of float32 keys and values, the prefix's from head to head
# STRIDE numbers apart, its own with ROOM tokens for each row and head.
KEYS, VALUES, STRIDE, OWN_KEYS, OWN_VALUES, ROOM, HELD = range(7)

SILU, GELU_TANH, GELU, RELU = range(4)
ACTIVATIONS = {
    "silu": SILU, "swish": SILU, "gelu_new": GELU_TANH, "gelu_pytorch_tanh": GELU_TANH, "gelu_fast": GELU_TANH,
    "gelu": GELU, "relu": RELU,
}  # fmt: skip

Ints, Floats = NDArray[np.int64], NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """`matrices` are what addresses in the others point to; none where torch multiplies."""

    dims: Ints
    reals: Floats
    small: Floats
    blocks: Ints
    matrices: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        return self.small.nbytes + sum(each.nbytes for each in self.matrices)


def tables(plan: Plan, multiplies: bool) -> Tables | None:
    """None where the kernels do not compute this. `multiplies`: they compute the products, too."""
    return _Maker(multiplies).made(plan) if has_functions(plan) else None


def has_functions(plan: Plan) -> bool:
    """Whether the kernels have all that it takes: its activation, one eps for all norms, biases in all of a group."""
    eps = {plan.norm.eps}
    for block in plan.blocks:
        norms = (block.norm, block.mlp_norm, block.q_norm, block.k_norm, block.out_norm, block.down_norm)
        eps |= {norm.eps for norm in norms if norm is not None}
    groups = [group for block in plan.blocks for group in (block.project, block.up)]
    alike = all(len({cast(Any, module).bias is None for module in group}) == 1 for group in groups)
    return plan.activation_name in ACTIVATIONS and len(eps) == 1 and alike


def parts_of(module: nn.Module) -> tuple[Tensor, Tensor | None]:
    """(weight [d_out, d_in], bias) of a linear module."""
    linear: Any = module
    return (linear.weight.T if isinstance(module, Conv1D) else linear.weight), linear.bias


class _Maker:
    def __init__(self, multiplies: bool) -> None:
        self._multiplies = multiplies
        self._small: list[Tensor] = []
        self._matrices: list[Tensor] = []

    def made(self, plan: Plan) -> Tables:
        width, heads, groups = plan.d_head, plan.n_heads, plan.n_kv_heads
        dims = np.full(DIMS, -1, np.int64)
        dims[[D_MODEL, N_HEADS, N_KV_HEADS, D_HEAD]] = plan.tokens.shape[1], heads, groups, width
        if plan.blocks[0].by_head:
            dims[[QUERY, KEY, VALUE, STEP]] = 0, width, 2 * width, 3 * width
        else:
            dims[[QUERY, KEY, VALUE, STEP]] = 0, heads * width, (heads + groups) * width, width
        dims[CENTRED], dims[SIDE_BY_SIDE] = plan.norm.centred, plan.side_by_side
        dims[ACTIVATION] = ACTIVATIONS[plan.activation_name]
        self._norm(dims, FINAL_NORM, plan.norm)
        self._product(dims, HEAD, plan.head)
        blocks = np.full((len(plan.blocks), BLOCK), -1, np.int64)
        for line, block in zip(blocks, plan.blocks, strict=True):
            self._norm(line, NORM, block.norm)
            self._product(line, PROJECT, *block.project)
            self._product(line, OUT, block.out)
            self._norm(line, MLP_NORM, block.mlp_norm)
            self._product(line, UP, *block.up)
            self._product(line, DOWN, block.down)
            for slot, norm in ((Q_NORM, block.q_norm), (K_NORM, block.k_norm), (OUT_NORM, block.out_norm),
                               (DOWN_NORM, block.down_norm)):  # fmt: skip
                if norm is not None:
                    line[slot] = self._put(norm.gain)
            line[WINDOW] = 0 if block.window is None else block.window
        reals = np.zeros(REALS, np.float32)
        reals[[EPS, SCALE, SOFTCAP]] = plan.norm.eps, plan.scale, plan.softcap or 0.0
        return Tables(dims, reals, torch.cat(self._small).numpy(), blocks, tuple(self._matrices))

    def _norm(self, line: Ints, slot: int, norm: Norm) -> None:
        line[slot] = self._put(norm.gain)
        if norm.bias is not None:
            line[slot + 1] = self._put(norm.bias)

    def _product(self, line: Ints, slot: int, *modules: nn.Module) -> None:
        if not self._multiplies:
            return
        weights, biases = zip(*map(parts_of, modules), strict=True)
        self._matrices.append(torch.cat([weight.half() for weight in weights]).contiguous())
        line[slot] = self._matrices[-1].data_ptr()
        if biases[0] is not None:
            line[slot + 1] = self._put(torch.cat(biases))

    def _put(self, numbers: Tensor) -> int:
        at = sum(each.numel() for each in self._small)
        self._small.append(numbers.detach().float().reshape(-1))
        return at
