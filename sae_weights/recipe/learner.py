"""One SAE while it is trained: TopK (Gao et al. 2024) or BatchTopK (Bussmann et al. 2024), dead features revived.

    x' = (x - centre) / scale           centre: mean, scale: mean norm / sqrt(d) of the first batch
    f  = select(relu(x' W_enc + b_enc))
    x' ~ f W_dec + b_dec                rows of W_dec have unit norm
    loss = |x' - ...|^2 + AUX_SHARE |what dead features could make of the error|^2

`folded` puts centre and scale into the weights: an ordinary SAE in the residual's own coordinates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

RATE = 8e-4
WARM_UP_STEPS = 30
DECAY_FROM = 0.65
AUX_K, AUX_SHARE = 64, 1 / 32


def top_k(before: Tensor, k: int) -> Tensor:
    """[n, d_sae] -> the same, all but each row's k largest and those below 0 set to 0."""
    values, indices = before.topk(k, dim=-1, sorted=False)
    return torch.zeros_like(before).scatter(-1, indices, values.relu())


def batch_top_k(before: Tensor, k: int) -> Tensor:
    """The n k largest of the whole batch; a row may have more than k or fewer."""
    flat = before.detach().flatten()
    least = flat.kthvalue(flat.numel() - k * len(before) + 1).values.clamp_min(0)
    return before * (before >= least) * (before > 0)


SELECTIONS: dict[str, Callable[[Tensor, int], Tensor]] = {"topk": top_k, "batchtopk": batch_top_k}


@dataclass(frozen=True, slots=True)
class Plan:
    """`selection`: a key of SELECTIONS. `dead_after`: a feature silent for so many inputs is dead."""

    d_sae: int
    k: int
    selection: str
    dead_after: int = 250_000


class Learner:
    def __init__(self, plan: Plan, first: Tensor, seed: int) -> None:
        """first [n, d]: a batch that the scale is taken from."""
        generator = torch.Generator().manual_seed(seed)
        self.plan, d = plan, first.shape[1]
        self.centre = first.mean(0)
        self.scale = (first - self.centre).norm(dim=-1).mean() / d**0.5
        rows = F.normalize(torch.randn(plan.d_sae, d, generator=generator), dim=1).to(first.device)
        self.W_enc = (0.5 * rows.t()).contiguous().requires_grad_()
        self.b_enc = torch.zeros(plan.d_sae, device=first.device, requires_grad=True)
        self.W_dec = rows.clone().requires_grad_()
        self.b_dec = torch.zeros(d, device=first.device, requires_grad=True)
        self.adam = torch.optim.Adam([self.W_enc, self.b_enc, self.W_dec, self.b_dec], lr=RATE)
        self.silent = torch.zeros(plan.d_sae, device=first.device)
        self.steps = 0

    def step(self, x: Tensor, share: float) -> float:
        """One update on x [n, d], `share` of the whole training being done. Returns squared error / total variance."""
        x = (x - self.centre) / self.scale
        for group in self.adam.param_groups:
            decay = 1.0 if share < DECAY_FROM else max(0.02, (1 - share) / (1 - DECAY_FROM))
            group["lr"] = RATE * min(1.0, (self.steps + 1) / WARM_UP_STEPS) * decay
        with torch.enable_grad():
            # Without the decoder's bias in it: its gradient would need one more product as large as the others.
            before = x @ self.W_enc + self.b_enc
            codes = SELECTIONS[self.plan.selection](before, self.plan.k)
            wrong = x - codes @ self.W_dec - self.b_dec
            loss = self.loss(x, codes, wrong) + AUX_SHARE * self._auxiliary(before, wrong.detach())
            self.adam.zero_grad()
            loss.backward()
        with torch.no_grad():
            # Along its own row a gradient would only change the length, which is put back anyway.
            grad = self.W_dec.grad
            grad -= (grad * self.W_dec).sum(1, keepdim=True) * self.W_dec
            self.adam.step()
            self.W_dec.copy_(F.normalize(self.W_dec, dim=1))
            self.silent += len(x)
            self.silent[(codes > 0).any(0)] = 0
        self.steps += 1
        return float(wrong.detach().pow(2).sum() / (x - x.mean(0)).pow(2).sum())

    def loss(self, x: Tensor, codes: Tensor, wrong: Tensor) -> Tensor:
        del x, codes
        return wrong.pow(2).sum(-1).mean()

    @property
    def dead(self) -> Tensor:
        """[d_sae] bool"""
        return self.silent > self.plan.dead_after

    def _auxiliary(self, before: Tensor, wrong: Tensor) -> Tensor:
        dead = self.dead.nonzero()[:, 0]
        if not len(dead):
            return before.new_zeros(())
        codes = top_k(before[:, dead], min(AUX_K, len(dead)))
        return (wrong - codes @ self.W_dec[dead]).pow(2).sum(-1).mean()

    @torch.no_grad()
    def folded(self) -> dict[str, Tensor]:
        """W_enc [d, d_sae], b_enc, W_dec [d_sae, d], b_dec of the SAE that subtracts b_dec from its input."""
        # scale f = select(relu((x - centre) W_enc + scale b_enc)); the bias moves to centre + scale b_dec.
        b_dec = self.centre + self.scale * self.b_dec
        b_enc = self.scale * self.b_enc + (b_dec - self.centre) @ self.W_enc
        tensors = {"W_enc": self.W_enc, "b_enc": b_enc, "W_dec": self.W_dec, "b_dec": b_dec}
        return {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}

    def state(self) -> dict[str, object]:
        tensors = (self.centre, self.scale, self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.silent)
        return {"tensors": [t.detach() for t in tensors], "adam": self.adam.state_dict(), "steps": self.steps}

    @classmethod
    def restored(cls, plan: Plan, state: dict) -> Learner:
        """As it was when `state` was taken."""
        learner = cls(plan, torch.zeros(2, len(state["tensors"][0]), device=state["tensors"][0].device), seed=0)
        learner.restore(state)
        return learner

    @torch.no_grad()
    def restore(self, state: dict) -> None:
        own = (self.centre, self.scale, self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.silent)
        for tensor, kept in zip(own, state["tensors"], strict=True):
            tensor.copy_(kept)
        self.adam.load_state_dict(state["adam"])
        self.steps = state["steps"]


def threshold(sae: dict[str, Tensor], x: Tensor, k: int) -> float:
    """Above which activations of x [n, d] number k a row on average: BatchTopK as a JumpReLU that needs no batch."""
    before = (x - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"]
    flat = before.flatten()
    return float(flat.kthvalue(flat.numel() - k * len(x)).values.clamp_min(0))
