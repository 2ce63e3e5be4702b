"""What an engine has once it is loaded: model, reader, writer, drafts. Made on the device thread, step by step."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from undersong.catalogue.doses import Doses
from undersong.catalogue.scores import Scores
from undersong.client.endpoint import EngineChoice
from undersong.engine.drafts import Drafts, Outliner
from undersong.engine.importing import lean

with lean():
    # What transformers is imported by first: see there.
    from undersong.engine.finding import Finder
    from undersong.engine.loading import Loaded, load
    from undersong.engine.memory import Memory, budget
    from undersong.engine.passages import PassageReader
    from undersong.engine.reading import Reader
    from undersong.engine.sizes import of_weights, of_window
    from undersong.engine.tracing import Tracer
    from undersong.engine.windows import Limits
    from undersong.engine.writing import Writer
    from undersong.model.decoding import is_light
    from undersong.model.threads import Threads

logger = logging.getLogger(__name__)

MAX_ATOM_TOKENS = 128
"""A sentence longer than this, or than a window's body, is read as several atoms."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What is there once the model is loaded."""

    loaded: Loaded
    memory: Memory
    reader: Reader
    writer: Writer
    drafts: Drafts
    finder: Finder
    tracer: Tracer
    threads: Threads


def made(choice: EngineChoice, doses_path: Path) -> Generator[tuple[str, float], None, Parts]:
    """Steps: what is being done and the share done, 0 to 1; returns the parts. Raises as `load`."""
    torch.set_grad_enabled(False)
    said: list[tuple[str, float]] = []
    threads = Threads(torch.get_num_threads())
    loaded: Loaded | None = None
    steps = load(choice.model, choice.saes, choice.device, lambda *what: said.append(what), choice.adapter)
    with lean():
        for step in steps:
            loaded = step
            threads.keep()
            while said:
                yield said.pop(0)
    assert loaded is not None
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    limits = Limits.of_context(loaded.model.context)
    passages = PassageReader(
        loaded.encode, loaded.typography, loaded.paragraph_break, min(MAX_ATOM_TOKENS, limits.body_max)
    )
    memory = _memory(choice, loaded, limits)
    reader = Reader(loaded, memory)
    doses = Doses.open(doses_path)
    if doses.problem:
        logger.warning("%s", doses.problem)
    scores = Scores.open(doses_path.with_name("scores.sqlite"))
    if scores.problem:
        logger.warning("%s", scores.problem)
    writer = Writer(loaded, reader, passages, doses)
    outliner = Outliner(passages, limits, loaded.fingerprint.encode())
    tracer = Tracer(loaded, reader, passages, writer, memory)
    finder = Finder(loaded, scores, memory)
    if is_light(loaded.model):
        threads = Threads(1)
    return Parts(loaded, memory, reader, writer, Drafts(outliner), finder, tracer, threads)


def _memory(choice: EngineChoice, loaded: Loaded, limits: Limits) -> Memory:
    """On the CPU what stands there already is the process as it is now, elsewhere the weights."""
    weights, device = of_weights(loaded), loaded.model.device
    if device.type == "cuda":
        fixed, machine = weights, torch.cuda.mem_get_info(device)[1]
    else:
        fixed, machine = psutil.Process().memory_info().rss, psutil.virtual_memory().total
    window = of_window(loaded.model, limits.lead_in + limits.body_max + 1)
    memory = Memory(budget(choice.memory_mb, fixed, machine, window), fixed, weights)
    if fixed >= memory.most:
        logger.warning("engine.memory_mb: %s", memory.refusal().message)
    return memory
