"""p-annealing (Karvonen et al. 2024): the penalty sum f^p, its p going from 1 towards 0 while training runs.

With p below 1 a large activation costs little more than a small one, so activations shrink less, and few large ones are
better than many small. p goes down in steps; at each the penalty is multiplied with sum f^p / sum f^p' (both averaged
over the steps before), so that a step leaves its size as it was (dictionary_learning, trainers/p_anneal.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

# Of the running averages of both sums.
_MEMORY = 0.9
# An activation, where inputs have a mean norm of sqrt(d), below which none is told from another.
_LEAST = 1e-3
_BUFFERS = ("anneal_level", "anneal_factor", "anneal_now", "anneal_next")


@dataclass(frozen=True, slots=True)
class Annealing:
    """p is 1 until `begin` (a share of training), `end` from `until` on, and goes down `levels` times in between.

    The library goes on to the last step, and so never reaches its end.
    """

    end: float = 0.2
    begin: float = 0.25
    until: float = 0.9
    levels: int = 10

    def buffers(self) -> dict[str, Tensor]:
        return {name: torch.tensor(1.0 if name == "anneal_factor" else 0.0) for name in _BUFFERS}

    def penalty(
        self, acts: Tensor, lengths: Tensor, buffers: Mapping[str, Tensor], share: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """(the penalty on acts [n, d_sae] >= 0, each times `lengths` [d_sae]; the buffers after this step)."""
        weighed = acts.float() * lengths
        level, factor, now, after = (buffers[name] for name in _BUFFERS)
        with torch.no_grad():
            due = int(min(max((share - self.begin) / (self.until - self.begin), 0.0), 1.0) * self.levels)
            down = (level < due) & (after > 0)
            factor = torch.where(down, factor * now / after.clamp_min(1e-30), factor)
            level = level + down.to(level.dtype)
        # What is off pays nothing, and is most of it.
        on = weighed[weighed > 0]
        total = _powers(on, self._power(level)) / len(acts)
        with torch.no_grad():
            kept = torch.where(down, 0.0, _MEMORY)
            now = kept * now + (1 - kept) * total.detach()
            after = kept * after + (1 - kept) * _powers(on.detach(), self._power(level + 1)) / len(acts)
        return factor * total, dict(zip(_BUFFERS, (level, factor, now, after), strict=True))

    def _power(self, level: Tensor) -> Tensor:
        return 1 - (1 - self.end) * (level / self.levels).clamp_max(1.0)


def _powers(on: Tensor, p: Tensor) -> Tensor:
    # At 0 the derivative of f^p is infinite: what is hardly on pays the same everywhere.
    return on.clamp_min(_LEAST).pow(p).sum()
