"""Texts that begin alike, read once for all rows that go on from them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from undersong.model.fork import ForkedLayer, growing_cache
from undersong.model.language_model import LanguageModel
from undersong.model.recurrent import layer_after, states_of


@torch.inference_mode()
def after_prefixes(model: LanguageModel, prefixes: Sequence[Sequence[int]], picked: Tensor) -> DynamicCache:
    """A cache whose row i comes after prefix `picked[i]`. Prefixes are equally long, and may be empty."""
    n = len(prefixes[0])
    attention = [DynamicLayer() for _ in model.kept]
    layers = [layer_after(kept, layer, None) for kept, layer in zip(model.kept, attention, strict=True)]
    if n:
        ids = model.tensor([list(prefix) for prefix in prefixes])
        model.body(input_ids=ids, past_key_values=growing_cache(layers), use_cache=True)
    rows = []
    for kept, layer, state in zip(model.kept, attention, states_of(layers), strict=True):
        fork = ForkedLayer.of(layer, n if kept.attends else 0, len(prefixes))
        fork.batch_select_indices(picked)
        rows.append(layer_after(kept, fork, None if state is None else state.rows(picked)))
    return growing_cache(rows)
