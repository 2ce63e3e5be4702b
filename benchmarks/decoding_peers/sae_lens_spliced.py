"""SAELens: HookedSAETransformer with an SAE spliced in, its error kept, one feature raised by a constant.

That feature's decoder row is the job's vector, so that what is written is what the others write.
"""

from __future__ import annotations

from typing import Any

import torch
from sae_lens import HookedSAETransformer, StandardSAE, StandardSAEConfig
from torch import Tensor

from benchmarks.decoding_peers import lens_hook
from benchmarks.decoding_peers.job import Job

WIDTH = 4096


class Model(lens_hook.Model):
    kind = HookedSAETransformer

    def __init__(self, job: Job, precision: str) -> None:
        super().__init__(job, precision)
        self._place = f"blocks.{job.layer}.hook_resid_post"
        sae: Any = StandardSAE(StandardSAEConfig(d_in=len(job.vector), d_sae=WIDTH, device="cpu", dtype="float32"))
        sae.cfg.metadata.hook_name = self._place
        with torch.no_grad():
            sae.W_dec[0] = torch.tensor(job.vector)
        self.model.add_sae(sae, use_error_term=True)

    def hooks(self) -> list[tuple[str, Any]]:
        def raised(acts: Tensor, hook: Any) -> Tensor:
            acts[:, -1, 0] += 1.0
            return acts

        return [(f"{self._place}.hook_sae_acts_post", raised)]
