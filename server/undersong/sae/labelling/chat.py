"""A language model that answers, wherever it runs: `endpoint` asks a server, `local` a model in this process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


class Chat(Protocol):
    @property
    def name(self) -> str:
        """Which model, for the provenance of what it says."""
        ...

    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        """Its answer, as certain as it can be (temperature 0). BadText where a local model has no room for it."""
        ...
