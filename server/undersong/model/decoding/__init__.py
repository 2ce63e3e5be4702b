"""Decoding without the overhead of a network's own forward: which families of architectures it is written down for.

A decoder is proved on the model at hand before it is used: what it gives after a few tokens must be the network's own
logits. Where it is not, or nothing is written down, the network itself decodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from undersong.model.decoding import gpt2, neox, rotary
from undersong.model.decoding.decoder import Decoder, Part
from undersong.model.decoding.rows import Rows
from undersong.model.interventions import Steering
from undersong.model.language_model import LanguageModel

logger = logging.getLogger(__name__)

# `model_type` of a configuration -> what builds its decoder. A new family is a file and its lines here.
FAMILIES: dict[str, Callable[[LanguageModel], Decoder | None]] = {
    "llama": rotary.build,
    "mistral": rotary.build,
    "qwen2": rotary.build,
    "qwen3": rotary.build,
    "gemma": rotary.build,
    "gemma2": rotary.build,
    "gpt2": gpt2.build,
    "gpt_neox": neox.build,
}

_LIGHT = 64 << 20
"""Bytes of weights."""
_PROBE = (1, 2, 3, 4, 5)
_PROBE_PREFIX = 3


def find_decoder(model: LanguageModel) -> Decoder | None:
    """The decoder of `model`, proved; None where there is none."""
    config: Any = model.network.config
    build = FAMILIES.get(config.model_type)
    decoder = None if build is None else build(model)
    if decoder is None:
        return None
    if not _proved(model, decoder):
        logger.warning("%s decodes by its own forward: the %s decoder differs from it", model.name, config.model_type)
        return None
    return replace(decoder, is_light=is_light(model))


def is_light(model: LanguageModel) -> bool:
    """Whether what several threads could share is little beside waking them: packed weights one thread multiplies by
    (packing.py), and embeddings are looked up."""
    linear = (module for module in model.network.modules() if isinstance(module, nn.Linear | Conv1D))
    return model.device.type == "cpu" and sum(module.weight.nbytes for module in linear) <= _LIGHT


def _proved(model: LanguageModel, decoder: Decoder) -> bool:
    """Whether the tokens after a prefix come out as the network has them, in two rows at once."""
    from transformers.cache_utils import DynamicCache

    ids = [token % model.vocab_size for token in _PROBE]
    cache: Any = DynamicCache()
    expected = model.logits(model.tensor([ids]), cache)[0, _PROBE_PREFIX:]
    held = [(layer.keys[:, :, :_PROBE_PREFIX], layer.values[:, :, :_PROBE_PREFIX]) for layer in cache.layers]
    rows = Rows(held, _PROBE_PREFIX, 2)
    none = Steering(model, ())
    fed = (model.tensor([[token] * 2])[0] for token in ids[_PROBE_PREFIX:])
    found = [logits for token in fed for logits in decoder.step([Part(token, rows, none)])]
    return all(_alike(model, logits, right) for logits, right in zip(found, expected, strict=True))


def _alike(model: LanguageModel, found: Tensor, expected: Tensor) -> bool:
    """found: [rows, vocab], each to be `expected` [vocab] but for rounding."""
    rounding = torch.finfo(model.dtype).eps ** 0.75 * expected.abs().max()
    return bool(((found - expected).abs() <= rounding).all())
