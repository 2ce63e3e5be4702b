"""File formats of SAEs. A new one is a file here and a line in this table; the first that matches reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from undersong.sae.base import SAEConfig
from undersong.sae.formats import saelens


@dataclass(frozen=True, slots=True)
class Format:
    """`matches` looks at names only; `read_config` reads no tensor; `read_weights` gives canonical ones."""

    name: str
    matches: Callable[[Path], bool]
    read_config: Callable[[Path], SAEConfig]
    read_weights: Callable[[Path, SAEConfig], dict[str, Tensor]]
    expects: str


FORMATS: tuple[Format, ...] = (
    Format("SAELens", saelens.matches, saelens.read_config, saelens.read_weights, saelens.EXPECTS),
)
