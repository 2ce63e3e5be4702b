"""Muon: momentum, orthogonalised, for matrices (Jordan et al. 2024, "Muon: an optimizer for hidden layers")."""

from __future__ import annotations

import torch
from torch import Tensor

# Five steps of this odd polynomial bring singular values of 0.01 to 1 to between 0.6 and 1.25.
A, B, C = 3.4445, -4.7750, 2.0315
STEPS = 5


def orthogonalised(matrices: Tensor) -> Tensor:
    """[n, rows, columns] -> of the same shape, each nearly the orthogonal factor of its polar decomposition."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For stacks of matrices [..., rows, columns], each orthogonalised by itself."""

    def __init__(self, stacks: list[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.1) -> None:
        super().__init__(stacks, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        del closure
        for group in self.param_groups:
            for stack in group["params"]:
                state = self.state[stack]
                if not state:
                    state["momentum"] = torch.zeros_like(stack)
                kept = state["momentum"].mul_(group["momentum"]).add_(stack.grad)
                nesterov = stack.grad.add(kept, alpha=group["momentum"])
                rows, columns = stack.shape[-2:]
                update = orthogonalised(nesterov.view(-1, rows, columns)).view_as(stack)
                stack.mul_(1 - group["lr"] * group["weight_decay"])
                stack.add_(update, alpha=-group["lr"] * max(1.0, rows / columns) ** 0.5)
