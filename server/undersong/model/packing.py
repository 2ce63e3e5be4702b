"""Weights of a network on the CPU, packed in float16 and computed with in float32 (undersong/packed.py)."""

from __future__ import annotations

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from undersong.model.language_model import LanguageModel
from undersong.packed import PackedLinear, can_pack, is_exact

__all__ = ["SMALL", "PackedLinear", "is_exact", "pack"]

SMALL = 1 << 19
"""Weights: multiplying by a smaller matrix is faster as it is."""


def pack(model: LanguageModel) -> bool:
    """Put PackedLinear in place of the network's linear modules where nothing is lost by it; whether that was done.

    It is not where the model does not run in float32 on an x86 CPU, or where float16 does not hold its weights.
    """
    runs = model.device.type == "cpu" and model.dtype == torch.float32 and can_pack()
    found = [
        (path, module)
        for path, module in model.network.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module.weight.numel() > SMALL
    ]
    if not runs or not all(is_exact(module.weight) for _, module in found):
        return False
    for path, module in found:
        parent, _, name = path.rpartition(".")
        weight = module.weight.T if isinstance(module, Conv1D) else module.weight
        setattr(model.network.get_submodule(parent), name, PackedLinear(weight, module.bias))
    model.refit()
    return True
