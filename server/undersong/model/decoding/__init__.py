"""Decoding without the overhead of a network's own forward: which families of architectures it is written down for.

A decoder is proved on the model at hand before it is used: what it gives after a few tokens must be the network's own
logits. Where it is not, or nothing is written down, the network itself decodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from undersong.model.decoding import gpt2, native, neox, rotary
from undersong.model.decoding.decoder import Decoder, Part
from undersong.model.decoding.plain import PlainDecoder
from undersong.model.decoding.plan import LIGHT, Plan
from undersong.model.interventions import Steering
from undersong.model.language_model import LanguageModel
from undersong.packed import PackedLinear

logger = logging.getLogger(__name__)

# `model_type` of a configuration -> what states its plan. A new family is a file and its lines here.
FAMILIES: dict[str, Callable[[LanguageModel], Plan | None]] = {
    "llama": rotary.plan,
    "mistral": rotary.plan,
    "qwen2": rotary.plan,
    "qwen3": rotary.plan,
    "gemma": rotary.plan,
    "gemma2": rotary.plan,
    "gpt2": gpt2.plan,
    "gpt_neox": neox.plan,
}

_PROBE = (1, 2, 3, 4, 5)
_PROBE_PREFIX = 3


def has_kernels(model: LanguageModel) -> bool:
    """Whether compiled kernels may decode it (native/), once they are loaded."""
    config: Any = model.network.config
    on_cpu = model.device.type == "cpu" and model.dtype == torch.float32
    return on_cpu and config.model_type in FAMILIES and native.is_installed()


def find_decoder(model: LanguageModel) -> Decoder | None:
    """The fastest decoder of `model` that is proved; None where there is none."""
    config: Any = model.network.config
    state = FAMILIES.get(config.model_type)
    plan = None if state is None else state(model)
    if plan is None:
        return None
    for decoder in _decoders(plan):
        if _proved(model, decoder):
            return decoder
        logger.warning("%s: a %s for %s differs from it", model.name, type(decoder).__name__, config.model_type)
    return None


def _decoders(plan: Plan) -> Iterator[Decoder]:
    if native.is_loaded():
        from undersong.model.decoding.native.decoder import native_decoder

        if (found := native_decoder(plan)) is not None:
            yield found
    yield PlainDecoder(plan)


def is_light(model: LanguageModel) -> bool:
    """Whether what several threads could share is little beside waking them. Embeddings are looked up."""
    linear = (each for each in model.network.modules() if isinstance(each, nn.Linear | Conv1D | PackedLinear))
    return model.device.type == "cpu" and sum(4 * each.weight.numel() for each in linear) <= LIGHT


def _proved(model: LanguageModel, decoder: Decoder) -> bool:
    """Whether the tokens after a prefix come out as the network has them, in two rows at once."""
    from transformers.cache_utils import DynamicCache

    ids = [token % model.vocab_size for token in _PROBE]
    cache: Any = DynamicCache()
    expected = model.logits(model.tensor([ids]), cache)[0, _PROBE_PREFIX:]
    held = [(layer.keys[:, :, :_PROBE_PREFIX], layer.values[:, :, :_PROBE_PREFIX]) for layer in cache.layers]
    rows = decoder.rows(held, _PROBE_PREFIX, 2)
    none = Steering(model, ())
    fed = (model.tensor([[token] * 2])[0] for token in ids[_PROBE_PREFIX:])
    found = [logits for token in fed for logits in decoder.step([Part(token, rows, none)])]
    return all(_alike(model, logits, right) for logits, right in zip(found, expected, strict=True))


def _alike(model: LanguageModel, found: Tensor, expected: Tensor) -> bool:
    """found: [rows, vocab], each to be `expected` [vocab] but for rounding."""
    rounding = torch.finfo(model.dtype).eps ** 0.75 * expected.abs().max()
    return bool(((found - expected).abs() <= rounding).all())
