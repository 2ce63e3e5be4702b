"""What a peer is told to do, and what it answers: plain data that goes between processes as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

PRECISIONS = ("float32", "float16")


class Unable(Exception):
    """A peer cannot do what is asked; the message says why, and is kept beside the figures."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model and how it is steered.

    `folder`: the model as transformers writes it. `gguf`: the same weights by precision. `prompt`: token ids.
    `vector` [d_model] is added to what leaves block `layer`, at the prompt's last position and at every new one.
    `weight_count`: numbers read for each token: all weights but the embeddings that only give a row.
    """

    name: str
    folder: str
    gguf: dict[str, str]
    prompt: list[int]
    layer: int
    vector: list[float]
    weight_count: int
    all_weights: int
    threads: int = 2

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        return Job(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Written:
    """New token ids of each row; `stamps`: seconds on a steady clock at which each step's ids were known."""

    ids: list[list[int]]
    stamps: list[float]

    @property
    def seconds(self) -> float:
        """Of one step: from the first new token to the last, so that neither prompt nor set-up counts."""
        return (self.stamps[-1] - self.stamps[0]) / (len(self.stamps) - 1)


class Peer(Protocol):
    """A loaded model that writes. Made with the Job and a precision; may raise Unable, then and at each call."""

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        """`tokens` >= 2 of them a row, the likeliest each time, no row ending early."""
        ...


def agreeing(ids: Sequence[Sequence[int]], reference: Sequence[Sequence[int]]) -> dict[str, int]:
    """How many tokens of the first row are the reference's before the first other one, and of how many."""
    pairs = list(zip(ids[0], reference[0], strict=False))
    same = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
    return {"same": same, "of": len(pairs)}


def answer(written: Written) -> dict[str, Any]:
    """`written` as a worker sends it."""
    return {"ids": written.ids, "seconds": written.seconds}
