"""A model that is a table: each token's activation, a linear head; and a small SAE that reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from tests.support.tiny_models import sae_tensors
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.evaluation.subject import Seen

D, VOCAB, BOS = 16, 40, 0


def toy_sae(architecture: str = "standard", d_sae: int = 24, seed: int = 1, **config: object) -> SAE:
    stated = {"architecture": architecture, "hook_name": "blocks.0.hook_resid_post", "hook_layer": 0, **config}
    k = {"k": 5} if architecture == "topk" else {}
    return ARCHITECTURES[architecture](
        "0", SAEConfig(d_in=D, d_sae=d_sae, **k, **stated), sae_tensors(architecture, D, d_sae, seed)
    )  # pyright: ignore[reportArgumentType]


class Table:
    """A Subject: activation = table[token] + a little of what came before, logits = activation @ head."""

    special_ids = frozenset({BOS})

    def __init__(self, seed: int = 0) -> None:
        random = torch.Generator().manual_seed(seed)
        self.table = torch.randn(VOCAB, D, generator=random)
        self.head = torch.randn(D, VOCAB, generator=random)

    def seen(self, ids: Tensor) -> Seen:
        own = self.table[ids]
        held = own + 0.3 * own.cumsum(1) / (1 + torch.arange(ids.shape[1]))[:, None]
        return Seen(held, held, held @ self.head)

    def logits(self, ids: Tensor, rebuilt: Tensor) -> Tensor:
        return rebuilt @ self.head


def toy_ids(rows: int = 6, length: int = 20, seed: int = 3) -> Tensor:
    """Each row begins with BOS; one has it in the middle too."""
    ids = torch.randint(1, VOCAB, (rows, length), generator=torch.Generator().manual_seed(seed))
    ids[:, 0] = BOS
    ids[1, 7] = BOS
    return ids
