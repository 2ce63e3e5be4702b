"""A stream of activations without a model: what passes at a hook point is a table's row of each token."""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.hook_points import HookPoint
from undersong.sae.training.activations import ActivationStream, StreamPlan
from undersong.sae.training.texts import Listed, Texts

D = 12
BOS = 0
FIRST, SECOND = HookPoint(0), HookPoint(1)
_TABLE = torch.randn(256, D, generator=torch.Generator().manual_seed(0)).relu()

_WORDS = """the sea was grey and the wind had dropped ; nobody spoke until the boat came round ."""
WORDS = _WORDS.split()
TEXTS = [" ".join(WORDS[(i * j) % len(WORDS)] for j in range(1, 30)) for i in range(400)]


def read(ids: Tensor) -> dict[HookPoint, Tensor]:
    """Each token's own row, and the mean of it and of those before: BOS is in the second."""
    own = _TABLE[ids]
    before = own.cumsum(dim=1) / torch.arange(1, ids.shape[1] + 1)[:, None]
    return {FIRST: own, SECOND: before}


def tokenize(text: str) -> list[int]:
    return list(text.encode())


def stream(texts: Texts | None = None, **plan: object) -> ActivationStream:
    given = {"context": 16, "batch": 32, "buffer_tokens": 200, "bos": BOS, "left_out": frozenset({BOS})}
    stated = StreamPlan(**{**given, "rows_at_once": 3, **plan})  # pyright: ignore[reportArgumentType]
    return ActivationStream(texts or Listed(TEXTS), tokenize, read, stated)
