"""The transformers network of a job, for the peers that run it, and when each of its tokens was there."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, StoppingCriteria
from transformers.utils import logging

from benchmarks.decoding_peers.job import Job, Unable


def network_of(job: Job, precision: str = "float32") -> Any:
    """The network, which no end-of-text token stops. Unable for anything but float32: slower on these processors."""
    if precision != "float32":
        raise Unable("measured in float32 only")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    network = AutoModelForCausalLM.from_pretrained(job.folder, dtype=torch.float32, local_files_only=True).eval()
    endless(network)
    return network


def endless(network: Any) -> None:
    """No token ends what it writes, and the likeliest token is taken."""
    network.generation_config.eos_token_id = None
    network.generation_config.pad_token_id = 0
    network.generation_config.do_sample = False


def blocks_of(network: Any) -> nn.ModuleList:
    """Its blocks, of Llama's or of GPT-2's layout."""
    body = network.base_model
    return body.layers if hasattr(body, "layers") else body.h


class Stamps(StoppingCriteria):
    """Stops nothing; notes the time after each step."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        self.taken.append(time.perf_counter())
        return torch.zeros(len(input_ids), dtype=torch.bool)
