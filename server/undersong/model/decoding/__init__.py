"""Decoding without the overhead of a network's own forward: which families of architectures it is written down for.

A decoder is proved on the model at hand before it is used: what it gives after a few tokens must be the network's own
logits. Where it is not, or nothing is written down, the network itself decodes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from undersong.model.decoding import gpt2, native, neox, plan, rotary
from undersong.model.decoding.decoder import Decoder, Part
from undersong.model.decoding.native import tables
from undersong.model.decoding.plain import PlainDecoder
from undersong.model.decoding.plan import Plan
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
_PROBE_PREFIX, _PROBE_ROWS = 3, 7


def has_kernels(model: LanguageModel) -> bool:
    """Whether compiled kernels may decode it (native/), once they are loaded."""
    on_cpu = model.device.type == "cpu" and model.dtype == torch.float32
    return on_cpu and native.is_installed() and (stated := _plan(model)) is not None and tables.has_functions(stated)


def find_decoder(model: LanguageModel) -> Decoder | None:
    """The first decoder of `model` that is proved, kernels before torch; None where there is none."""
    stated = _plan(model)
    if stated is None:
        return None
    for make in (_native, PlainDecoder):
        try:
            decoder = make(stated)
            proved = decoder is not None and _proved(model, decoder)
        except Exception as error:
            # The next one decodes, or the network: nobody's writing fails for that.
            logger.warning("%s: a decoder could not be made: %s: %s", model.name, type(error).__name__, error)
            continue
        if proved:
            return decoder
        if decoder is not None:
            logger.warning("%s: a %s differs from the network", model.name, type(decoder).__name__)
    return None


def _plan(model: LanguageModel) -> Plan | None:
    config: Any = model.network.config
    state = FAMILIES.get(config.model_type)
    return None if state is None else state(model)


def _native(stated: Plan) -> Decoder | None:
    if not native.is_loaded():
        return None
    from undersong.model.decoding.native.decoder import native_decoder

    return native_decoder(stated)


def is_light(model: LanguageModel) -> bool:
    """Whether one thread computes with it as fast as several. Embeddings are looked up."""
    linear = (each for each in model.network.modules() if isinstance(each, nn.Linear | Conv1D | PackedLinear))
    return model.device.type == "cpu" and plan.is_light(linear)


def _proved(model: LanguageModel, decoder: Decoder) -> bool:
    """Whether the tokens after a prefix come out as the network has them, in so many rows that kernels take four at
    once, two and one. What only shows further on (sliding windows) is left to tests."""
    from transformers.cache_utils import DynamicCache

    ids = [token % model.vocab_size for token in _PROBE]
    cache: Any = DynamicCache()
    expected = model.logits(model.tensor([ids]), cache)[0, _PROBE_PREFIX:]
    held = [(layer.keys[:, :, :_PROBE_PREFIX], layer.values[:, :, :_PROBE_PREFIX]) for layer in cache.layers]
    rows = decoder.rows(held, _PROBE_PREFIX, _PROBE_ROWS)
    none = Steering(model, ())
    fed = (model.tensor([[token] * _PROBE_ROWS])[0] for token in ids[_PROBE_PREFIX:])
    found = [logits for token in fed for logits in decoder.step([Part(token, rows, none)])]
    return all(_alike(model, logits, right) for logits, right in zip(found, expected, strict=True))


def _alike(model: LanguageModel, found: Tensor, expected: Tensor) -> bool:
    """found: [rows, vocab], each to be `expected` [vocab] but for rounding."""
    rounding = torch.finfo(model.dtype).eps ** 0.75 * expected.abs().max()
    return bool(((found - expected).abs() <= rounding).all())
