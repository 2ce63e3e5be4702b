"""The decoder blocks of any transformers causal model: found, replaced and skipped by position.

Nothing here knows an architecture by name. What a block returns differs (a tensor, or a tuple that begins with one),
so `find_blocks` runs one token through the network and keeps what it saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from undersong.errors import WeightsFormat


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """The blocks in order.

    `extras[i]` is how many values block i returns after the hidden states; None where it returns a bare tensor.
    """

    modules: tuple[nn.Module, ...]
    extras: tuple[int | None, ...]

    def __len__(self) -> int:
        return len(self.modules)

    def output(self, layer: int, hidden: Tensor) -> Any:
        """`hidden` in the form that block `layer` returns it."""
        extra = self.extras[layer]
        return hidden if extra is None else (hidden, *[None] * extra)


def hidden_of(output: Any) -> Tensor:
    """The hidden states [rows, n, d_model] in what a block returned."""
    return output if isinstance(output, Tensor) else output[0]


def with_hidden(output: Any, hidden: Tensor) -> Any:
    """`output` with its hidden states replaced."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])


@contextmanager
def skipped(blocks: Blocks, layers: Iterable[int], emit: Mapping[int, Tensor] | None = None) -> Iterator[None]:
    """While active, `layers` compute nothing: each hands its input on, or gives out `emit[layer]` where there is one.

    A skipped block stores no keys and values either.
    """
    emit = emit or {}

    def replacement(layer: int) -> Any:
        given = emit.get(layer)

        def forward(*args: Any, **kwargs: Any) -> Any:
            if given is not None:
                return blocks.output(layer, given)
            return blocks.output(layer, args[0] if args else kwargs["hidden_states"])

        return forward

    layers = tuple(layers)
    for layer in layers:
        # An attribute of the instance hides the class's method; deleting it brings the method back.
        blocks.modules[layer].forward = replacement(layer)
    try:
        yield
    finally:
        for layer in layers:
            del blocks.modules[layer].forward


def find_blocks(body: nn.Module, n_layers: int, d_model: int, name: str) -> Blocks:
    """The outermost list of `n_layers` modules in `body` that one token passes in order.

    Raises WeightsFormat where there is none, or where a block's output is not one residual stream of width `d_model`.
    """
    lists = [
        (path.count("."), path, module)
        for path, module in body.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == n_layers
    ]
    if not lists:
        raise WeightsFormat(f"{name}: expected a list of {n_layers} decoder blocks in the network, found none")
    _, path, modules = min(lists, key=lambda entry: entry[:2])
    blocks = tuple(modules)
    seen: list[tuple[int, Any]] = []
    handles = [
        block.register_forward_hook(lambda _module, _inputs, output, index=index: seen.append((index, output)))
        for index, block in enumerate(blocks)
    ]
    try:
        with torch.inference_mode():
            device = next(body.parameters()).device
            body(input_ids=torch.zeros((1, 1), dtype=torch.long, device=device), use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    if [index for index, _ in seen] != list(range(n_layers)):
        raise WeightsFormat(
            f"{name}: expected the {n_layers} blocks of `{path}` to run once each in order, "
            f"found {[index for index, _ in seen]}"
        )
    for index, output in seen:
        shape = tuple(hidden_of(output).shape)
        if shape != (1, 1, d_model):
            raise WeightsFormat(
                f"{name}: expected block {index} to put out one residual stream (1, 1, {d_model}), found {shape}"
            )
    extras = tuple(None if isinstance(output, Tensor) else len(output) - 1 for _, output in seen)
    return Blocks(blocks, extras)
