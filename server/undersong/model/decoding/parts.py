"""Parts of decoders: norms, projections and rotations made ready from a network's modules, for rows of one token.

Each is written in the fewest operations that torch has for it: with a small model, calling them is what a token costs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D

from undersong.model.packing import SMALL, PackedLinear

_TOGETHER, _KEPT = 32, 8
"""Rotations made at a time, and how often that is kept: text is written on from where it was."""

Step = Callable[[Tensor], Tensor]
Onto = Callable[[Tensor, Tensor], Tensor]


def rms_norm(norm: Any, plus_one: bool = False) -> Norm:
    """An RMSNorm of transformers, its gain stored less 1 where `plus_one`."""
    gain = norm.weight.float() + 1.0 if plus_one else norm.weight
    d = gain.shape[-1]
    # sqrt(|x|^2 + d eps) is sqrt(d) times what x is divided by.
    least = torch.tensor((d * _eps(norm)) ** 0.5, device=gain.device)
    return Norm(least, gain * d**0.5)


def _eps(norm: Any) -> float:
    return float(getattr(norm, "variance_epsilon", None) or norm.eps)


@dataclass(frozen=True, slots=True, eq=False)
class Norm:
    """x [..., d] -> x / sqrt(|x|^2 + least^2) * gain."""

    least: Tensor
    gain: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        wide = x.float()
        length = torch.hypot(torch.linalg.vector_norm(wide, 2, -1, True), self.least)
        return (wide / length if self.gain is None else wide * (self.gain / length)).to(x.dtype)


def layer_norm(norm: nn.LayerNorm) -> Step:
    shape, gain, bias, eps = list(norm.normalized_shape), norm.weight, norm.bias, norm.eps
    return lambda x: torch.layer_norm(x, shape, gain, bias, eps)


def normed_projection(norm: Norm, *modules: Any) -> tuple[Norm, Step]:
    """A norm and the projection of what it gives: its gain goes into weights that are laid out anew at any rate."""
    if norm.gain is None or not _is_laid_out(modules) or modules[0].weight.dtype != torch.float32:
        return norm, projection(*modules)
    return Norm(norm.least, None), _laid_out(modules, norm.gain)


def projection(*modules: Any) -> Step:
    """[rows, d_in] -> [rows, the sum of their d_out]: what linear modules of one input give, side by side.

    Small ones are put together and laid out anew, which is faster. Of larger ones a second copy would cost memory, and
    calling them is nothing beside reading them.
    """
    if _is_laid_out(modules):
        return _laid_out(modules)
    if len(modules) > 1 and _is_small(modules) and all(isinstance(module, PackedLinear) for module in modules):
        return PackedLinear(torch.cat([module.weight for module in modules]), _biases(modules)).forward
    each = [_called(module) for module in modules]
    return each[0] if len(each) == 1 else lambda x: torch.cat([project(x) for project in each], dim=-1)


def projection_onto(module: Any) -> Onto:
    """([rows, d_in], the stream [rows, d_model]) -> the stream with what a linear module gives."""
    if _is_laid_out((module,)) and module.bias is None:
        weight = module.weight.T.contiguous()
        return lambda x, stream: torch.addmm(stream, x, weight)
    project = projection(module)
    return lambda x, stream: stream + project(x)


def _is_small(modules: tuple[Any, ...]) -> bool:
    return sum(map(_size, modules)) <= SMALL


def _is_laid_out(modules: tuple[Any, ...]) -> bool:
    return _is_small(modules) and all(isinstance(module, nn.Linear) for module in modules)


def _laid_out(modules: tuple[Any, ...], gain: Tensor | None = None) -> Step:
    """`gain` [d_in]: by what each input is multiplied."""
    weight = torch.cat([module.weight.T for module in modules], dim=1)
    weight = (weight if gain is None else weight * gain[:, None]).contiguous()
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
        self._made: OrderedDict[int, tuple[Tensor, ...]] = OrderedDict()

    def __getitem__(self, position: int) -> Tensor:
        """R of head @ R: each number times its cosine, and the one half a turn away times its sine."""
        number = position // _TOGETHER
        if number not in self._made:
            self._made[number] = self._some(number * _TOGETHER)
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return self._made[number][position % _TOGETHER]

    def _some(self, first: int) -> tuple[Tensor, ...]:
        matrices = torch.diag_embed(self._cosines[first : first + _TOGETHER])
        width = self._sines.shape[1]
        turned = torch.diag_embed(self._sines[first : first + _TOGETHER]).roll(self._half, 1)
        matrices[:, :width, :width] += turned
        return matrices.unbind(0)


def rotate(heads: Tensor, rotation: Tensor) -> Tensor:
    """`heads` [rows, heads, d_head] turned. One product takes fewer operations than two and a sum."""
    return torch.mm(heads.reshape(-1, heads.shape[2]), rotation).view(heads.shape)
