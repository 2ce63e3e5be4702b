"""BatchTopK (Bussmann et al. 2024): the n k largest activations of a batch of n tokens, stored as a JumpReLU.

A reader has no batch: it keeps what lies above the smallest activation that batches kept, averaged over the last
steps of training. That average is the threshold of every feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from undersong.sae.architectures.topk import TopKObjective
from undersong.sae.learning import Sizes, Weights
from undersong.sae.sparse import Picks, top_of_batch


@dataclass(frozen=True)
class BatchTopKObjective(TopKObjective):
    """`memory`: of the running average of the threshold, from step to step (dictionary_learning: .999, sae_lens: .99).

    It starts at the first step's, and never forgets more than the steps so far make up.
    """

    architecture: ClassVar = "jumprelu"

    memory: float = 0.99

    def buffers(self, sizes: Sizes) -> dict[str, Tensor]:
        del sizes
        return {"least": torch.zeros(()), "seen": torch.zeros(())}

    def choose(self, pre: Tensor) -> Picks:
        return top_of_batch(pre, self.k)

    def after(self, buffers: Weights, values: Tensor) -> Mapping[str, Tensor]:
        # Where nothing was kept, the step says nothing.
        least = torch.where(values > 0, values, torch.inf).amin() if len(values) else buffers["least"]
        seen = buffers["seen"] + 1
        memory = torch.clamp(1 - 1 / seen, max=self.memory)
        return {"least": memory * buffers["least"] + (1 - memory) * least.float(), "seen": seen}

    def stated(self) -> dict[str, Any]:
        return {"apply_b_dec_to_input": self.subtracts}

    def finished(self, w: Weights, buffers: Weights) -> dict[str, Tensor]:
        return {**w, "threshold": buffers["least"].expand(w["b_enc"].shape).clone()}
