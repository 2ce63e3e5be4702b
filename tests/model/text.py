"""Token ids to feed: random, seeded, none of them special."""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.model.blocks import hidden_of
from undersong.model.language_model import LanguageModel


def some_ids(n: int, seed: int = 0) -> list[int]:
    return torch.randint(1, 260, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


@torch.inference_mode()
def whole(model: LanguageModel, ids: list[int]) -> tuple[dict[int, Tensor], Tensor]:
    """The slow reference: the plain network over all of `ids`, no cache: residuals after each block, logits."""
    found: dict[int, Tensor] = {}
    handles = [
        block.register_forward_hook(
            lambda _module, _inputs, output, layer=layer: found.update({layer: hidden_of(output)[0]})
        )
        for layer, block in enumerate(model.blocks.modules)
    ]
    logits = model.network(input_ids=model.tensor([ids]), use_cache=False).logits[0]
    for handle in handles:
        handle.remove()
    return found, logits
