"""W_enc [d_in, d_sae] and a bias [d_sae], multiplied with whole or in part, in the precision that its file has.

A matrix stored in bfloat16 or float16 stays so on the CPU where float16 holds it and the machine multiplies by packed
matrices (undersong/packed.py): single columns are read from what the file maps, products from the packed copy. Else it
is widened once.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.packed import PackedLinear, can_pack, is_exact


class Encoder:
    """Computes in `dtype`. Gradients pass to what is multiplied, never to the weights of a packed matrix."""

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        self.bias = bias
        narrow = dtype == torch.float32 and weight.dtype in (torch.bfloat16, torch.float16)
        self._packed: PackedLinear | None = None
        if narrow and weight.device.type == "cpu" and can_pack() and is_exact(weight):
            self._packed = PackedLinear(weight.T, bias)
            self._weight = weight
        else:
            self._weight = weight.to(dtype)
        self._dtype = dtype

    def __call__(self, x: Tensor) -> Tensor:
        """x W + b [n, d_sae], written anew, of x [n, d_in]."""
        if self._packed is not None and len(x):
            return self._packed(x.contiguous())
        pre = x @ self._weight.to(self._dtype)
        return pre if self.bias is None else pre.add_(self.bias)

    def columns(self, indices: Tensor) -> Tensor:
        """[d_in, k]"""
        return self._weight[:, indices].to(self._dtype).contiguous()

    @property
    def whole(self) -> Tensor:
        """W_enc in `dtype`: the weights themselves, or a widened copy of them."""
        return self._weight.to(self._dtype)

    @property
    def is_packed(self) -> bool:
        return self._packed is not None

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, the bias left out: it is its SAE's."""
        bias = 0 if self._packed is None or self._packed.bias is None else self._packed.bias.nbytes
        return self._weight.nbytes + (0 if self._packed is None else self._packed.nbytes - bias)
