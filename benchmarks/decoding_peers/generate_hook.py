"""transformers: `generate` after a cache of the prompt, steered by a forward hook on one block."""

from __future__ import annotations

import copy
from contextlib import ExitStack
from typing import Any

import torch
from transformers import DynamicCache, StoppingCriteriaList

from benchmarks.decoding_peers.job import Job, Written
from benchmarks.decoding_peers.networks import Stamps, blocks_of, network_of


class Model:
    def __init__(self, job: Job, precision: str) -> None:
        self._network = network_of(job, precision)
        self._block = blocks_of(self._network)[job.layer]
        self._vector = torch.tensor(job.vector)
        self._prompt = torch.tensor([job.prompt])
        self._cache = DynamicCache(config=self._network.config)
        self._network(input_ids=self._prompt[:, :-1], past_key_values=self._cache, use_cache=True)

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        cache = copy.deepcopy(self._cache)
        if rows > 1:
            cache.batch_repeat_interleave(rows)
        prompt = self._prompt.expand(rows, -1)
        stamps = Stamps()
        with ExitStack() as stack:
            if steered:
                stack.callback(self._block.register_forward_hook(self._added).remove)
            made = self._network.generate(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), past_key_values=cache,
                max_new_tokens=tokens, do_sample=False, stopping_criteria=StoppingCriteriaList([stamps]),
            )  # fmt: skip
        return Written(made[:, prompt.shape[1] :].tolist(), stamps.taken)

    def _added(self, _module: Any, _inputs: Any, output: Any) -> Any:
        # The cache leaves one position to run: the prompt's last, then each new one.
        return (output[0] + self._vector, *output[1:]) if isinstance(output, tuple) else output + self._vector
