"""One SAE while it learns: its weights, Adam's, how long each feature has been silent; one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from undersong.sae.learning import Frame, Moment, Objective, Outcome, Sizes, frame_of
from undersong.sae.training.schedules import Schedule, published_rate

# Makes each tensor the `mean` or the `max` of all processes' own, in place.
Reduce = Callable[[list[Tensor], str], None]
# Of the running averages that are reported.
_MEMORY = 0.98


@dataclass(frozen=True, slots=True)
class LearnerPlan:
    """`learning_rate`: None takes the published law. `clip`: the longest gradient, all weights together.

    `dead_after`: a feature silent for so many tokens is dead. `autocast`: products in bfloat16, weights in float32.
    """

    learning_rate: float | None = None
    schedule: Schedule = field(default_factory=Schedule)
    clip: float = 1.0
    dead_after: int = 250_000
    seed: int = 0
    autocast: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Running averages: `loss`; `unexplained`, squared error over variance; `l0`. `dead` counts features."""

    loss: float
    unexplained: float
    l0: float
    dead: int


class Learner:
    """`reduce` is given where several processes share the work: each step's gradients are then of all their tokens."""

    def __init__(
        self,
        objective: Objective,
        sizes: Sizes,
        plan: LearnerPlan,
        device: str | torch.device = "cpu",
        reduce: Reduce | None = None,
        processes: int = 1,
    ) -> None:
        self.objective, self.sizes, self.plan = objective, sizes, plan
        self.device = torch.device(device)
        self._reduce, self._processes = reduce, processes
        random = torch.Generator().manual_seed(plan.seed)
        self.weights = {
            name: _as_laid_out(tensor, self.device).requires_grad_()
            for name, tensor in objective.start(sizes, random).items()
        }
        self.buffers = {name: tensor.to(self.device) for name, tensor in objective.buffers(sizes).items()}
        self.silent = torch.zeros(sizes.d_sae, dtype=torch.long, device=self.device)
        self.averages = torch.zeros(4, device=self.device)  # loss, unexplained, l0, weight
        self.steps = 0
        self.frames: tuple[Frame, Frame] | None = None
        self.rate = plan.learning_rate or published_rate(sizes.d_sae)
        fused = self.device.type in ("cpu", "cuda")
        self.adam = torch.optim.Adam(list(self.weights.values()), lr=self.rate, betas=objective.betas, fused=fused)

    def frame(self, x: Tensor, target: Tensor | None) -> None:
        """Take centre and scale from a first batch x [n, d_in], target [n, d_out]; None where it is x."""
        inputs = frame_of(x.to(self.device), self.sizes.inputs)
        outputs = inputs if target is None else frame_of(target.to(self.device), self.sizes.outputs)
        if self._reduce:
            tensors = [t for frame in (inputs, outputs) for t in (frame.centre, frame.scale)]
            tensors = [tensor.clone() for tensor in tensors]
            self._reduce(tensors, "mean")
            inputs, outputs = Frame(*tensors[:2]), Frame(*tensors[2:])
        self.frames = (inputs, outputs)

    def step(self, x: Tensor, target: Tensor | None, share: float) -> None:
        """One update on x [n, d_in] -> target [n, d_out] (None: x itself), `share` of the training being done."""
        if self.frames is None:
            self.frame(x, target)
        assert self.frames is not None
        inner = self.frames[0].into(x.to(self.device))
        wanted = inner if target is None else self.frames[1].into(target.to(self.device))
        for group in self.adam.param_groups:
            group["lr"] = self.rate * self.plan.schedule.rate(self.steps, share)
        outcome = self._forward(inner, wanted, share)
        self.adam.zero_grad(set_to_none=True)
        outcome.loss.backward()
        self._update(outcome, wanted, len(x))
        self.steps += 1

    def _forward(self, x: Tensor, target: Tensor, share: float) -> Outcome:
        # Until so many tokens have been seen, none can be dead: no need to look.
        seen = self.steps * len(x) * self._processes
        moment = Moment(
            share=share,
            sparsity=self.plan.schedule.sparsity(self.steps),
            dead=self.dead if seen > self.plan.dead_after else None,
        )
        with torch.enable_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.autocast):
            return self.objective.loss(self.weights, self.buffers, x, target, moment)

    @torch.no_grad()
    def _update(self, outcome: Outcome, target: Tensor, n: int) -> None:
        gradients = [weight.grad for weight in self.weights.values() if weight.grad is not None]
        fired = outcome.fired
        buffers = {name: tensor.clone() for name, tensor in outcome.buffers.items()}
        if self._reduce:
            fired = fired.to(torch.float32)
            self._reduce([*gradients, *buffers.values()], "mean")
            self._reduce([fired], "max")
            fired = fired > 0
        self.buffers = buffers
        self._keep_rows_apart()
        torch.nn.utils.clip_grad_norm_(self.weights.values(), self.plan.clip)
        self.adam.step()
        self.objective.project(self.weights)
        self.silent = torch.where(fired, 0, self.silent + n * self._processes)
        unexplained = outcome.error.float().pow(2).sum() / (target - target.mean(dim=0)).pow(2).sum().clamp_min(1e-12)
        now = torch.stack(
            [outcome.loss.detach().float(), unexplained, outcome.l0.float(), torch.ones_like(unexplained)]
        )
        if self._reduce:
            self._reduce([now], "mean")
        self.averages = _MEMORY * self.averages + (1 - _MEMORY) * now

    def _keep_rows_apart(self) -> None:
        """Along its own row a gradient would only change the length, which is put back anyway."""
        if not self.objective.unit_rows:
            return
        rows = self.weights["W_dec"]
        if rows.grad is not None:
            along = (rows.grad * rows).sum(dim=1, keepdim=True)
            rows.grad.addcmul_(along, rows, value=-1)

    @property
    def dead(self) -> Tensor:
        """[d_sae] bool"""
        return self.silent > self.plan.dead_after

    def told(self) -> Told:
        loss, unexplained, l0, weight = self.averages.tolist()
        weight = weight or 1.0
        return Told(loss / weight, unexplained / weight, l0 / weight, int(self.dead.sum()))

    @torch.no_grad()
    def finished(self) -> dict[str, Tensor]:
        """The tensors of `objective.architecture` in the model's coordinates, float32, on the CPU."""
        assert self.frames is not None, "not one step was taken"
        tensors = self.objective.placed(self.objective.finished(self.weights, self.buffers), *self.frames)
        return {name: tensor.to("cpu", torch.float32).contiguous() for name, tensor in tensors.items()}

    def state(self) -> dict[str, Any]:
        """All that changes, for `restore`: tensors and plain numbers alone, as torch.load(weights_only=True) reads."""
        frames = None if self.frames is None else [t for f in self.frames for t in (f.centre, f.scale)]
        return {
            "weights": {name: weight.detach() for name, weight in self.weights.items()},
            "buffers": dict(self.buffers),
            "silent": self.silent,
            "averages": self.averages,
            "steps": self.steps,
            "frames": frames,
            "adam": self.adam.state_dict(),
        }

    @torch.no_grad()
    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state` of a learner made with the same arguments."""
        for name, weight in self.weights.items():
            weight.copy_(state["weights"][name])
        self.buffers = {name: tensor.to(self.device) for name, tensor in state["buffers"].items()}
        self.silent, self.averages = state["silent"].to(self.device), state["averages"].to(self.device)
        self.steps = state["steps"]
        kept = state["frames"]
        if kept is not None:
            a, b, c, d = (tensor.to(self.device) for tensor in kept)
            self.frames = (Frame(a, b), Frame(c, d))
        self.adam.load_state_dict(state["adam"])


def _as_laid_out(tensor: Tensor, device: torch.device) -> Tensor:
    """A copy of `tensor` with its order in memory kept, so that gradients made by rows need no transposing."""
    return torch.empty_like(tensor, device=device, memory_format=torch.preserve_format).copy_(tensor)
