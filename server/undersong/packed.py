"""A matrix on the CPU, packed in float16 and multiplied with in float32.

Reading a matrix is what a product with few rows costs, and half as many bytes are read in half the time. Where the
numbers were stored in bfloat16 or float16 nothing is lost: float16 holds them exactly. FBGEMM (x86) multiplies float32
inputs by packed float16 numbers, widening them on the way, and sums in float32; it also multiplies a few rows at once
faster than a general routine.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_SMALLEST_STEP = 2.0**-24
"""Between neighbouring float16 numbers near 0."""


class PackedLinear(nn.Module):
    """A linear map of `weight` [d_out, d_in] and `bias` [d_out]; gradients pass to its input, never to its weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.bias = None if bias is None else bias.detach().float()
        self._packed = torch.ops.quantized.linear_prepack_fp16(weight.detach().float().contiguous(), self.bias)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes."""
        return 2 * self.out_features * self.in_features + (0 if self.bias is None else self.bias.nbytes)

    def forward(self, x: Tensor) -> Tensor:
        if x.requires_grad and torch.is_grad_enabled():
            return _Through.apply(x, self)  # pyright: ignore[reportReturnType]
        return torch.ops.quantized.linear_dynamic_fp16(x, self._packed)

    @property
    def weight(self) -> Tensor:
        """float32 [d_out, d_in], unpacked anew each time."""
        return torch.ops.quantized.linear_unpack_fp16(self._packed)[0]


class _Through(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, module: PackedLinear) -> Tensor:
        ctx.module = module
        return torch.ops.quantized.linear_dynamic_fp16(x, module._packed)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] @ ctx.module.weight, None


def supported_engines() -> list[str]:
    return torch.backends.quantized.supported_engines


def can_pack() -> bool:
    """Whether this machine multiplies by packed matrices."""
    return "fbgemm" in supported_engines()


def is_exact(weight: Tensor) -> bool:
    """Whether float16 holds these numbers but for what is next to nothing: less than its smallest step."""
    return bool(((weight.half().float() - weight).abs() <= _SMALLEST_STEP).all())
