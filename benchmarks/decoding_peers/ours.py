"""Undersong: a window read once, shared by all rows of each run, `add` at the last and every new position."""

from __future__ import annotations

import time

import torch

from benchmarks.decoding_peers.job import Job, Unable, Written
from undersong.engine.folders import kernels_folder
from undersong.hook_points import HookPoint
from undersong.model.decoding import native
from undersong.model.generation import generate
from undersong.model.interventions import Intervention
from undersong.model.kv_cache import WindowCache
from undersong.model.load import load_model
from undersong.model.packing import pack
from undersong.model.sampling import Sampler


class Model:
    def __init__(self, job: Job, precision: str) -> None:
        self._model = load_model(job.folder, "cpu")
        if precision == "float16" and not pack(self._model):
            raise Unable("weights are packed in float16 on x86, where float16 holds them")
        # As the engine does when it has started (engine/compiling.py).
        native.load(kernels_folder())
        point = HookPoint(job.layer)
        self._window = WindowCache(self._model, [point])
        self._window.extend(job.prompt)
        self._window.complete()
        self._push = Intervention(point, "add", torch.tensor([job.vector]), torch.ones(1))

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        samplers = [Sampler(temperature=0.0) for _ in range(rows)]
        stamps: list[float] = []
        made = generate(
            self._model, self._window, self._window.length, samplers, max_tokens=tokens,
            interventions=[self._push] if steered else (),
        )  # fmt: skip
        for _ in made:
            stamps.append(time.perf_counter())
        return Written([list(row) for row in made.ids], stamps)
