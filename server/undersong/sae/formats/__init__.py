"""File formats of SAEs. A new one is a file here and a line in a table; the first that matches reads.

Cross-layer transcoders have a table of their own. Two others that stand beside SAEs are called by name:
control_vectors (GGUF) and neuronpedia (exports of features, labels and activations).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from torch import Tensor

from undersong.sae.architectures.cross_layer_transcoder import CLTConfig, Decoders
from undersong.sae.config import SAEConfig
from undersong.sae.formats import (
    circuit_tracer,
    circuit_tracer_clt,
    dictionary_learning,
    gemma_scope,
    gemma_scope_2,
    gemma_scope_2_clt,
    kissane,
    linear_pair,
    llama_scope,
    openai,
    qwen_scope,
    saelens,
    saelens_training,
    sparsify,
)


@dataclass(frozen=True, slots=True)
class Format:
    """For a folder, or the file of one SAE among several.

    `matches` looks at names, of pickles also inside; `read_config` reads no numbers; `read_weights` gives canonical
    ones. `name` is for people.
    """

    name: str
    matches: Callable[[Path], bool]
    read_config: Callable[[Path], SAEConfig]
    read_weights: Callable[[Path, SAEConfig], dict[str, Tensor]]
    expects: str


@dataclass(frozen=True, slots=True)
class CLTFormat:
    """As `Format`, of cross-layer transcoders: `read_weights` leaves out the decoders, whose rows `decoders` reads."""

    name: str
    matches: Callable[[Path], bool]
    read_config: Callable[[Path], CLTConfig]
    read_weights: Callable[[Path, CLTConfig], dict[str, Tensor]]
    decoders: Callable[[Path], Decoders]
    expects: str


def _format(name: str, module: ModuleType) -> Format:
    return Format(name, module.matches, module.read_config, module.read_weights, module.EXPECTS)


def _clt_format(name: str, module: ModuleType) -> CLTFormat:
    return CLTFormat(name, module.matches, module.read_config, module.read_weights, module.FileDecoders, module.EXPECTS)


FORMATS: tuple[Format, ...] = (
    # Before SAELens, whose files they have too.
    _format("SAELens training folder", saelens_training),
    _format("Llama Scope", llama_scope),
    _format("sparsify", sparsify),
    _format("SAELens", saelens),
    _format("Gemma Scope", gemma_scope),
    _format("Gemma Scope 2", gemma_scope_2),
    _format("dictionary_learning", dictionary_learning),
    _format("circuit-tracer transcoder", circuit_tracer),
    # Pickles, by what is in them.
    _format("Qwen-Scope", qwen_scope),
    _format("attention SAEs of GPT-2", kissane),
    _format("OpenAI", openai),
    _format("Goodfire or qresearch", linear_pair),
)

CLT_FORMATS: tuple[CLTFormat, ...] = (
    _clt_format("circuit-tracer cross-layer transcoder", circuit_tracer_clt),
    _clt_format("Gemma Scope 2 cross-layer transcoder or crosscoder", gemma_scope_2_clt),
)
