"""interp-engine, eager: `generate_stream` inside `steer`, its additive operation, the prompt masked but for its end."""

from __future__ import annotations

import time
from contextlib import ExitStack

import torch
from interp_engine import EagerModel, generate_stream, steer
from interp_engine.steer import SteerSpec

from benchmarks.decoding_peers.job import Job, Unable, Written


class Model:
    def __init__(self, job: Job, precision: str) -> None:
        self._model = EagerModel(job.folder, device="cpu", dtype=precision)
        self._prompt = torch.tensor([job.prompt])
        self._before = list(range(len(job.prompt) - 1))
        self._push = SteerSpec(torch.tensor(job.vector), job.layer)

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        if rows > 1:
            raise Unable("generate_stream writes one row at a time")
        ids: list[int] = []
        stamps: list[float] = []
        with ExitStack() as stack:
            if steered:
                stack.enter_context(
                    steer(self._model, [self._push], prompt_token_ids=self._prompt, position_mask=self._before)
                )
            steps = generate_stream(self._model, self._prompt, max_tokens=tokens, temperature=0.0, stop_at_eos=False)
            for step in steps:
                stamps.append(time.perf_counter())
                ids.append(step.token_id)
        return Written([ids], stamps)
