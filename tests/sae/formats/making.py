"""What samples of published formats are made of: random weights under our names, and rules written out on them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

D_IN, D_SAE, D_OUT, K = 24, 72, 20, 6
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Sample:
    """`weights` are what went into the file, under our names and our way round, before anything is folded; `encode` and
    `rebuild` are the makers' rule written out on them."""

    path: Path
    weights: Weights
    encode: Callable[[Tensor], Tensor]
    rebuild: Callable[[Tensor], Tensor]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def inputs(n: int = 40) -> Tensor:
    """Not centred, and of uneven length: a normalisation that is left out shows."""
    return (random(n, D_IN, seed=9) + 0.3) * torch.linspace(0.5, 2, n)[:, None]


def weights(d_out: int = D_IN, **extra: Tensor) -> Weights:
    return {
        "W_enc": random(D_IN, D_SAE, seed=1) * 0.3, "W_dec": random(D_SAE, d_out, seed=2) * 0.3,
        "b_enc": random(D_SAE, seed=3) * 0.2, "b_dec": random(d_out, seed=4) * 0.5, **extra,
    }  # fmt: skip


def thresholds() -> Tensor:
    return random(D_SAE, seed=5).abs()


def jump(pre: Tensor, threshold: Tensor) -> Tensor:
    return torch.where(pre > threshold, pre.clamp_min(0), torch.zeros(()))


def top(pre: Tensor, k: int = K) -> Tensor:
    kept = torch.zeros_like(pre, dtype=torch.bool)
    for row, values in enumerate(pre):
        kept[row, values.argsort(descending=True)[:k]] = True
    return torch.where(kept, pre.clamp_min(0), torch.zeros(()))


def pre(w: Weights, x: Tensor, subtract: bool) -> Tensor:
    return (x - w["b_dec"] if subtract else x) @ w["W_enc"] + w["b_enc"]


def plain(
    path: Path, w: Weights, act: Callable[[Tensor], Tensor], subtract: bool, skip: Tensor | None = None
) -> Sample:
    """A sample of an SAE that does nothing to its input but subtract b_dec; `skip` [d_out, d_in]."""

    def encode(x: Tensor) -> Tensor:
        return act(pre(w, x, subtract))

    def rebuild(x: Tensor) -> Tensor:
        return encode(x) @ w["W_dec"] + w["b_dec"] + (0 if skip is None else x @ skip.T)

    return Sample(path, w, encode, rebuild)


def relu(x: Tensor) -> Tensor:
    return x.clamp_min(0)


def write_json(path: Path, stated: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(stated), "utf-8")


def write(path: Path, held: Weights) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.contiguous() for name, tensor in held.items()}
    if path.suffix == ".npz":
        np.savez(path, **{name: tensor.numpy() for name, tensor in whole.items()})
    elif path.suffix == ".safetensors":
        save_file(whole, path)
    else:
        torch.save(whole, path)
    return path


def linear(w: Weights, encoder: str = "encoder", decoder: str = "decoder") -> Weights:
    return {
        f"{encoder}.weight": w["W_enc"].T, f"{encoder}.bias": w["b_enc"],
        f"{decoder}.weight": w["W_dec"].T, f"{decoder}.bias": w["b_dec"],
    }  # fmt: skip


def layer_normed(path: Path, w: Weights, act: Callable[[Tensor], Tensor]) -> Sample:
    def normed(x: Tensor) -> Tensor:
        return (x - x.mean(dim=1, keepdim=True)) / (x.std(dim=1, keepdim=True) + 1e-5)

    def encode(x: Tensor) -> Tensor:
        return act(pre(w, normed(x), True))

    def rebuild(x: Tensor) -> Tensor:
        rebuilt = encode(x) @ w["W_dec"] + w["b_dec"]
        return rebuilt * x.std(dim=1, keepdim=True) + x.mean(dim=1, keepdim=True)

    return Sample(path, w, encode, rebuild)
