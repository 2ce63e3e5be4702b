"""nnsight: `generate` traced, the block's output written to at every step of `tracer.iter`."""

from __future__ import annotations

from typing import Any

import torch
from nnsight.modeling.transformers import TransformersModel
from transformers import AutoTokenizer, StoppingCriteriaList

from benchmarks.decoding_peers.job import Job, Written
from benchmarks.decoding_peers.networks import Stamps, endless, network_of


class Model:
    def __init__(self, job: Job, precision: str) -> None:
        network = network_of(job, precision)
        tokenizer = AutoTokenizer.from_pretrained(job.folder, local_files_only=True)
        self._model: Any = TransformersModel(network, task="text-generation", tokenizer=tokenizer)
        endless(self._model.pipeline.model)
        body = self._model.model if hasattr(network, "model") else self._model.transformer
        self._block = (body.layers if hasattr(network.base_model, "layers") else body.h)[job.layer]
        self._vector = torch.tensor(job.vector)
        self._prompt = torch.tensor([job.prompt])

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        stamps = Stamps()
        model, block, vector = self._model, self._block, self._vector
        prompt = self._prompt.repeat(rows, 1)
        settings = {"max_new_tokens": tokens, "do_sample": False, "stopping_criteria": StoppingCriteriaList([stamps])}
        with model.generate(prompt, **settings) as tracer:
            if steered:
                for _ in tracer.iter[:tokens]:
                    block.output[:, -1] += vector
            ids = tracer.result.save()
        return Written(ids[:, prompt.shape[1] :].tolist(), stamps.taken)
