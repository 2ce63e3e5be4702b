"""How learning rate and sparsity change over training, as functions of how much of it is done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """The rate goes up over `warm_up` steps, is level, and from the share `decay_from` of training on goes down to 0;
    the sparsity penalty goes up over `sparsity_warm_up` steps. All of it linearly.

    This is what dictionary_learning does (1000 steps up, down over the last fifth) and sae_lens can (its defaults: none
    up, down over the last fifth).
    """

    warm_up: int = 1000
    decay_from: float = 0.8
    sparsity_warm_up: int = 0

    def rate(self, step: int, share: float) -> float:
        """What the learning rate is multiplied with at `step`, counted from 0, `share` of training being done."""
        up = min(1.0, (step + 1) / self.warm_up) if self.warm_up else 1.0
        if share < self.decay_from or self.decay_from >= 1:
            return up
        return up * max(0.0, (1 - share) / (1 - self.decay_from))

    def sparsity(self, step: int) -> float:
        """What the sparsity penalty is multiplied with."""
        return min(1.0, (step + 1) / self.sparsity_warm_up) if self.sparsity_warm_up else 1.0


def published_rate(d_sae: int) -> float:
    """2e-4 / sqrt(d_sae / 2^14): the law of Gao et al. 2024, figure 3, as dictionary_learning applies it."""
    return 2e-4 / (d_sae / 2**14) ** 0.5
