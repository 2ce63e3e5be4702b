"""How much memory things take, in bytes, by the tensors that they hold."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from undersong.circuits.trace import Trace
from undersong.engine.loading import Loaded
from undersong.model.language_model import LanguageModel
from undersong.packed import PackedLinear
from undersong.sae.base import SAE


def of_weights(loaded: Loaded) -> int:
    """The model, its SAEs and what belongs to them."""
    network = loaded.model.network
    tensors = {tensor.data_ptr(): tensor.nbytes for tensor in (*network.parameters(), *network.buffers())}
    beside = (each for dictionary in loaded.dictionaries.values() for each in (dictionary, dictionary.reference))
    packed = sum(module.nbytes for module in network.modules() if isinstance(module, PackedLinear))
    return (
        sum(tensors.values())
        + packed
        + sum(of_sae(dictionary.sae) for dictionary in loaded.dictionaries.values())
        + sum(each.nbytes for one in beside for each in _tensors(one))
    )


def of_sae(sae: SAE) -> int:
    return sae.nbytes


def of_window(model: LanguageModel, tokens: int) -> int:
    """Keys, values and what is kept beside them for so many tokens, at most: heads may share keys."""
    return 2 * (model.n_layers + 1) * tokens * model.d_model * model.dtype.itemsize


def of_trace(trace: Trace) -> int:
    """Roughly: with the window that it was read in."""
    clean = trace.clean
    held = [*clean.values.values(), *clean.errors.values(), clean.logits, trace.attributed, trace.exact]
    held += [tensor for active in clean.active for tensor in (active.positions, active.features, active.activations)]
    edges = 2 * trace.attributed.element_size() * len(trace.chosen) ** 2
    return clean.window.nbytes + edges + sum(tensor.nbytes for tensor in held)


def _tensors(thing: Any) -> list[Tensor]:
    names = getattr(thing, "__slots__", ()) if not hasattr(thing, "__dict__") else vars(thing)
    return [value for name in names if isinstance(value := getattr(thing, name), Tensor)]
