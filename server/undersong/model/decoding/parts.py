"""Parts of decoders: norms, projections and rotations made ready from a network's modules, for rows of one token.

Each is written in the fewest operations that torch has for it: with a small model, calling them is what a token costs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from undersong.model.packing import SMALL, PackedLinear

Step = Callable[[Tensor], Tensor]


def rms_norm(norm: Any, plus_one: bool = False) -> Step:
    """An RMSNorm of transformers, its gain stored less 1 where `plus_one`: [..., d] -> [..., d]."""
    gain = norm.weight.float() + 1.0 if plus_one else norm.weight
    eps = float(getattr(norm, "variance_epsilon", None) or norm.eps)
    d = gain.shape[-1]
    gain = gain * d**0.5
    # sqrt(|x|^2 + d eps), which is sqrt(d) times what x is divided by.
    least = torch.tensor((d * eps) ** 0.5, device=gain.device)
    if norm.weight.dtype == torch.float32:
        return lambda x: x * (gain / torch.hypot(torch.linalg.vector_norm(x, 2, -1, True), least))

    def wide(x: Tensor) -> Tensor:
        x_wide = x.float()
        return (x_wide * (gain / torch.hypot(torch.linalg.vector_norm(x_wide, 2, -1, True), least))).to(x.dtype)

    return wide


def layer_norm(norm: nn.LayerNorm) -> Step:
    shape, gain, bias, eps = list(norm.normalized_shape), norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, gain, bias, eps)


def projection(*modules: Any) -> Step:
    """[rows, d_in] -> [rows, the sum of their d_out]: what linear modules of one input give, side by side.

    Small ones are put together and laid out anew, which is faster. Of larger ones a second copy would cost memory, and
    calling them is nothing beside reading them.
    """
    small = sum(map(_size, modules)) <= SMALL
    if small and all(isinstance(module, nn.Linear) for module in modules):
        return _laid_out(modules)
    if small and len(modules) > 1 and all(isinstance(module, PackedLinear) for module in modules):
        weight = torch.cat([module.unpacked() for module in modules])
        return _called(PackedLinear(weight, _biases(modules)))
    each = [_called(module) for module in modules]
    return each[0] if len(each) == 1 else lambda x: torch.cat([project(x) for project in each], dim=-1)


def _laid_out(modules: tuple[Any, ...]) -> Step:
    weight = torch.cat([module.weight.T for module in modules], dim=1).contiguous()
    bias = _biases(modules)
    if bias is None:
        return lambda x: torch.mm(x, weight)
    return lambda x: torch.addmm(bias, x, weight)


def _size(module: Any) -> int:
    packed = isinstance(module, PackedLinear)
    return module.in_features * module.out_features if packed else module.weight.numel()


def _biases(modules: tuple[Any, ...]) -> Tensor | None:
    return None if modules[0].bias is None else torch.cat([module.bias for module in modules])


def _called(module: Any) -> Step:
    """A Linear, Conv1D or PackedLinear without what torch does around a module's forward."""
    if isinstance(module, PackedLinear):
        return module.forward
    weight, bias = module.weight, module.bias
    if isinstance(module, Conv1D):
        return lambda x: torch.addmm(bias, x, weight)
    return lambda x: F.linear(x, weight, bias)


class Rotations:
    """What each position up to a network's context does to a head, from its own rotary embedding: [d_head, d_head]."""

    def __init__(self, rotary: nn.Module, context: int, d_head: int, like: Tensor) -> None:
        positions = torch.arange(context, device=like.device)[None]
        cosines, sines = (table[0] for table in rotary(like, positions))
        self._half, beyond = cosines.shape[-1] // 2, d_head - cosines.shape[-1]
        sines = torch.cat([-sines[:, : self._half], sines[:, self._half :]], dim=-1)
        # What is beyond the part that turns stays.
        self._cosines = F.pad(cosines, (0, beyond), value=1.0).to(like.dtype)
        self._sines = sines.to(like.dtype)

    def __getitem__(self, position: int) -> Tensor:
        """R of head @ R: each number times its cosine, and the one half a turn away times its sine."""
        matrix = torch.diag(self._cosines[position])
        width = self._sines.shape[1]
        matrix[:width, :width] += torch.diag(self._sines[position]).roll(self._half, 0)
        return matrix


def rotate(heads: Tensor, rotation: Tensor) -> Tensor:
    """`heads` [rows, heads, d_head] turned. One product takes fewer operations than two and a sum."""
    return torch.mm(heads.reshape(-1, heads.shape[2]), rotation).view(heads.shape)
