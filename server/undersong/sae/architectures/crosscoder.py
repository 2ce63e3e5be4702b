"""A sparse crosscoder (Lindsey et al. 2024): one code for several places at once, layers of a model or two models.

Inside, the places stand side by side: W_enc [sum of widths, d_sae], W_dec [d_sae, sum of widths], ReLU. So it is an SAE
of concatenated activations, but for what being on costs: the lengths of a feature's decoder rows are added place by
place, which lets a feature belong to some places and leave others alone.

    loss = |x - x^|^2 + sparsity sum f sum_place |W_dec row at place|

No library has a file format for it: ours is SAELens' with `metadata.undersong.sites`, a list of {"hook_name",
"model_name", "width"}.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from undersong.errors import WeightsFormat
from undersong.sae.architectures.standard import StandardObjective, StandardSAE
from undersong.sae.base import SAEConfig
from undersong.sae.learning import Weights


@dataclass(frozen=True, slots=True)
class Place:
    """One of the places that a crosscoder reads: a hook point of a model (None: of the only one), `width` numbers."""

    hook_name: str
    width: int
    model_name: str | None = None


class CrosscoderSAE(StandardSAE):
    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.places = places(config)

    def joined(self, parts: Sequence[Tensor]) -> Tensor:
        """[..., d_in], what `encode` takes, of each place's activations [..., width] in order."""
        return torch.cat([part.to(self.device, self.dtype) for part in parts], dim=-1)

    def split(self, whole: Tensor) -> tuple[Tensor, ...]:
        """Each place's part of [..., d_in], a reconstruction or a direction."""
        return whole.split([place.width for place in self.places], dim=-1)

    def shares(self) -> Tensor:
        """[d_sae, places]: how much of each feature's decoder lies in each place; rows sum to 1 (0 where it has none).

        Of two models, near 0 or 1 is a feature of one of them alone, near 0.5 a shared one.
        """
        return torch.nn.functional.normalize(_lengths(self.split(self.W_dec)), p=1, dim=1)


def places(config: SAEConfig) -> tuple[Place, ...]:
    """What `config` says of a crosscoder's places. WeightsFormat."""
    stated = ((config.extras or {}).get("undersong") or {}).get("sites")
    try:
        found = tuple(Place(site["hook_name"], int(site["width"]), site.get("model_name")) for site in stated or ())
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise WeightsFormat(
            f"SAE: undersong.sites: expected a list of hook_name and width for a crosscoder, found {stated!r}"
        ) from error
    if sum(place.width for place in found) != config.d_in:
        raise WeightsFormat(
            f"SAE: undersong.sites: expected widths that sum to d_in {config.d_in}, found {[p.width for p in found]}"
        )
    return found


@dataclass(frozen=True)
class CrosscoderObjective(StandardObjective):
    """`parts`: the width of each place. Rows keep what length they learn: it says to which places a feature belongs."""

    architecture: ClassVar = "crosscoder"
    subtracts: ClassVar = False
    unit_rows: ClassVar = False

    parts: tuple[int, ...] = ()

    def lengths(self, w: Weights) -> Tensor:
        return _lengths(w["W_dec"].split(self.parts, dim=1)).sum(dim=1)


def _lengths(rows: Sequence[Tensor]) -> Tensor:
    return torch.stack([part.norm(dim=1) for part in rows], dim=1)
