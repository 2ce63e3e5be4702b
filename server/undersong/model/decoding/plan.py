"""What a network computes for one token, as plain data: which tensors and modules, in which order.

Each family of architectures states a Plan from its modules (rotary.py, gpt2.py, neox.py); decoders are made from it:
by torch for any device and type (plain.py), by compiled kernels for float32 on the CPU (native/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

LIGHT = 64 << 20
"""Bytes of float32 weights: up to here one thread decodes as fast as several."""


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """RMS norm where `centred` is false, else layer norm: (x - mean) / sqrt(variance + eps) * gain + bias."""

    gain: Tensor
    eps: float
    bias: Tensor | None = None
    centred: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class BlockPlan:
    """One block. `project`: linear modules of one input that give queries, keys and values side by side, or (`by_head`)
    each head's query, key and value one after the other. `out`, `down`: what attention and MLP write, through a norm of
    their own where there is one. `up`: one module, or gate and up. `window`: how many tokens attention sees, the one at
    hand among them; None: all."""

    norm: Norm
    project: tuple[nn.Module, ...]
    out: nn.Module
    mlp_norm: Norm
    up: tuple[nn.Module, ...]
    down: nn.Module
    q_norm: Norm | None = None
    k_norm: Norm | None = None
    out_norm: Norm | None = None
    down_norm: Norm | None = None
    window: int | None = None
    by_head: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A network. `tokens` [vocab, d_model] times `embed_scale` (None: 1), and `positions` [context, d_model] where
    they are learned, are embedded; `rotary` is the module that gives cosines and sines where heads are turned.
    `scale`, `softcap`: of attention's scores; `cap`: of the logits. `activation`: (gate or up) -> what it becomes.
    `side_by_side`: attention and MLP both read what enters the block."""

    tokens: Tensor
    blocks: tuple[BlockPlan, ...]
    norm: Norm
    head: nn.Module
    n_heads: int
    n_kv_heads: int
    d_head: int
    d_mlp: int
    scale: float
    activation: Callable[[Tensor], Tensor]
    activation_name: str
    embed_scale: float | None = None
    positions: Tensor | None = None
    rotary: nn.Module | None = None
    softcap: float | None = None
    cap: float | None = None
    side_by_side: bool = False


def linear_modules(plan: Plan) -> list[nn.Module]:
    """All that multiplies by weights, the head among them."""
    return [plan.head, *(each for block in plan.blocks for each in (*block.project, block.out, *block.up, block.down))]


def shape_of(module: Any) -> tuple[int, int]:
    """(d_out, d_in) of a linear module; its weights may be packed and are not unpacked for that."""
    return (module.nf, module.nx) if isinstance(module, Conv1D) else (module.out_features, module.in_features)


def is_light(modules: Iterable[nn.Module]) -> bool:
    """Whether what several threads could share is little beside waking them."""
    return sum(4 * d_out * d_in for d_out, d_in in map(shape_of, modules)) <= LIGHT


def rms_norm(module: Any, plus_one: bool = False) -> Norm:
    """An RMSNorm of transformers, its gain stored less 1 where `plus_one`."""
    gain = module.weight.float() + 1.0 if plus_one else module.weight
    return Norm(gain, float(getattr(module, "variance_epsilon", None) or module.eps))


def layer_norm(module: nn.LayerNorm) -> Norm:
    return Norm(module.weight, module.eps, module.bias, centred=True)
