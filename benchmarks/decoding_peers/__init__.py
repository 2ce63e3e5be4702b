"""What writes steered text beside Undersong: one file a peer, one line here.

A peer is a module with `Model(job, precision)`, whose `write` is job.py's `Peer`. Each runs in a process of its own
(worker.py), with as many threads as all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Entry:
    """`distribution`: whose version is told. `plain`: whether it is also timed unsteered. `copies`: how many times
    the weights are in memory while it loads. `environment`: what its process is given beside ours."""

    module: str
    distribution: str
    precisions: tuple[str, ...] = ("float32",)
    plain: bool = False
    copies: float = 1.0
    environment: Mapping[str, str] = field(default_factory=dict)


OURS, BASE, LLAMA = "undersong", "transformers", "llama.cpp"

PEERS: dict[str, Entry] = {
    OURS: Entry("ours", "undersong", ("float32", "float16"), plain=True, copies=2.0),
    BASE: Entry("generate_hook", "transformers", plain=True),
    LLAMA: Entry("control_vector", "llama-cpp-python", ("float32", "float16"), plain=True),
    "interp-engine": Entry("interp_engine_steer", "interp-engine"),
    "nnsight": Entry("nnsight_trace", "nnsight"),
    "transformer-lens": Entry("lens_hook", "transformer-lens", copies=2.0),
    "sae-lens": Entry("sae_lens_spliced", "sae-lens", copies=2.0),
}
"""By name, in the order in which they are measured."""
