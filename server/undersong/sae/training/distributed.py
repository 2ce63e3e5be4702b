"""Data-parallel training under torchrun: each process reads texts of its own, and all take the same steps.

Weights are alike everywhere from the seed on; gradients and what a step measures are averaged, so that a step is one on
all processes' tokens together. BatchTopK chooses within each process's part of the batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_OPERATIONS = {"mean": dist.ReduceOp.SUM, "max": dist.ReduceOp.MAX}


@dataclass(frozen=True, slots=True)
class Group:
    """`process` counts from 0; the first writes files and speaks."""

    process: int
    processes: int
    device: torch.device

    def reduce(self, tensors: list[Tensor], how: str) -> None:
        """Over all processes, in place: `mean` or `max`."""
        for tensor in tensors:
            # What is kept by columns is contiguous the other way round.
            flat = tensor if tensor.is_contiguous() else tensor.t()
            if flat.is_contiguous():
                dist.all_reduce(flat, _OPERATIONS[how])
            else:
                copy = tensor.contiguous()
                dist.all_reduce(copy, _OPERATIONS[how])
                tensor.copy_(copy)
            if how == "mean":
                tensor.div_(self.processes)

    def gather(self, own: dict[str, Any]) -> list[dict[str, Any]]:
        """What each process gave, in order, in each process."""
        found: list[Any] = [None] * self.processes
        dist.all_gather_object(found, own)
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        dist.barrier()

    def all_say(self, own: bool) -> bool:
        """Whether every process says so."""
        told = torch.tensor([int(own)], device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MIN)
        return bool(told.item())

    def first_says(self, value: bool) -> bool:
        """The first process's `value` in each."""
        told = torch.tensor([int(value)], device=self.device)
        dist.broadcast(told, 0)
        return bool(told.item())


@contextmanager
def joined(device: str | None = None) -> Iterator[Group | None]:
    """The group that torchrun started this process in; None where it was started alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield None
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available() if device is None else device.startswith("cuda")
    own = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(own)
    dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size(), own)
    finally:
        dist.destroy_process_group()
