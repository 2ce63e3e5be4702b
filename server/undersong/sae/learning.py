"""What an architecture says about how it learns: where its weights start, its loss, and how they become a file's.

An `Objective` holds settings alone. All that changes lies in tensors that are handed in and out (weights, which have
gradients, and buffers, which have none), so that training can be cut short, gone on with exactly, and shared among
processes without an architecture knowing.

While an SAE learns it sees inputs in a `Frame`: centred, and scaled so that the mean norm is sqrt(d). `folded` puts the
frame into the weights: the SAE in the model's own coordinates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]

# Of the features' tensors, those in units of an activation.
_IN_ACTIVATIONS = ("b_enc", "b_gate", "b_mag", "threshold")


@dataclass(frozen=True, slots=True)
class Sizes:
    """`inputs`, `outputs`: the width of each hook point that is read and reconstructed, side by side in this order."""

    inputs: tuple[int, ...]
    d_sae: int
    outputs: tuple[int, ...]

    @property
    def d_in(self) -> int:
        return sum(self.inputs)

    @property
    def d_out(self) -> int:
        return sum(self.outputs)


@dataclass(frozen=True, slots=True)
class Moment:
    """Where in training a step stands.

    `share`: how much of it is done, 0 to 1. `sparsity`: what sparsity penalties are multiplied with, 0 to 1 (it warms
    up). `dead` [d_sae] bool: features that have been silent for long; None where it is known that none is.
    """

    share: float
    sparsity: float
    dead: Tensor | None


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """`loss`: a number to go backwards from. `error` [n, d_out]: target less reconstruction, without gradient.

    `fired` [d_sae] bool: features that were on somewhere. `l0`: how many were on, on average. `buffers`: their values
    after this step.
    """

    loss: Tensor
    error: Tensor
    fired: Tensor
    l0: Tensor
    buffers: Weights


@dataclass(frozen=True)
class Objective(ABC):
    """How an architecture learns."""

    architecture: ClassVar[str]
    """The architecture, a key of ARCHITECTURES, that the result is stored as."""
    subtracts: ClassVar[bool] = True
    """Whether b_dec is subtracted from the input: apply_b_dec_to_input."""
    unit_rows: ClassVar[bool] = True
    """Whether the rows of W_dec are kept at length 1."""
    betas: ClassVar[tuple[float, float]] = (0.9, 0.999)
    """Of Adam."""

    def start(self, sizes: Sizes, random: torch.Generator) -> dict[str, Tensor]:
        """Weights to begin with, float32, on the CPU. W_enc lies in memory by features, as [d_sae, d_in] does."""
        rows = F.normalize(torch.randn(sizes.d_sae, sizes.d_out, generator=random), dim=1)
        tied = sizes.inputs == sizes.outputs
        columns = rows if tied else F.normalize(torch.randn(sizes.d_sae, sizes.d_in, generator=random), dim=1)
        return {
            "W_enc": (self.first_length(sizes) * columns).t(),
            "W_dec": rows.clone(),
            "b_enc": torch.zeros(sizes.d_sae),
            "b_dec": torch.zeros(sizes.d_out),
        }

    def first_length(self, sizes: Sizes) -> float:
        """Of the columns of W_enc at the start.

        Half of all features are on then, and sum to d_sae / 2 d of the input if this were 1: this gives half of it.
        """
        return min(0.5, sizes.d_in / sizes.d_sae)

    def buffers(self, sizes: Sizes) -> dict[str, Tensor]:
        """What changes from step to step without a gradient, as it is at first."""
        del sizes
        return {}

    @abstractmethod
    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        """The loss on x [n, d_in], which is to become target [n, d_out]; both in their frames."""

    def project(self, w: Weights) -> None:
        """Put weights back where they must lie; called after each step, without gradients."""
        if self.unit_rows:
            w["W_dec"].copy_(F.normalize(w["W_dec"], dim=1))

    def stated(self) -> dict[str, Any]:
        """Fields of SAEConfig that follow from the settings."""
        return {"apply_b_dec_to_input": self.subtracts}

    def finished(self, w: Weights, buffers: Weights) -> dict[str, Tensor]:
        """The tensors of `architecture`, still in the frame."""
        del buffers
        return dict(w)

    def placed(self, tensors: Weights, inputs: Frame, outputs: Frame) -> dict[str, Tensor]:
        """`finished` tensors in the model's coordinates."""
        return folded(tensors, inputs, outputs, subtracts=self.subtracts)

    def bias(self, w: Weights, name: str = "b_enc") -> Tensor:
        """[d_sae]: what x W_enc needs added. (x - b_dec) W + b = x W + (b - b_dec W): one product of a vector, not of
        the batch, and none of the batch backwards."""
        return w[name] - w["b_dec"] @ w["W_enc"] if self.subtracts else w[name]


def square(error: Tensor) -> Tensor:
    """Squared error a token, summed over dimensions: what every loss here begins with."""
    return error.float().pow(2).sum(dim=-1).mean()


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """x' = (x - centre) / scale, both [d]."""

    centre: Tensor
    scale: Tensor

    def into(self, x: Tensor) -> Tensor:
        return (x.to(self.scale.dtype) - self.centre) / self.scale


@torch.no_grad()
def frame_of(x: Tensor, parts: tuple[int, ...]) -> Frame:
    """The frame of activations [n, d] of hook points `parts` wide, each with a scale of its own.

    The centre is their geometric median (dictionary_learning), which a few huge activations do not move.
    """
    centres, scales = [], []
    for part in x.float().split(parts, dim=1):
        centre = geometric_median(part)
        scale = ((part - centre).norm(dim=1).mean() / part.shape[1] ** 0.5).clamp_min(1e-12)
        centres.append(centre)
        scales.append(scale.expand(part.shape[1]))
    return Frame(torch.cat(centres), torch.cat(scales).contiguous())


def geometric_median(points: Tensor, rounds: int = 100, tolerance: float = 1e-5) -> Tensor:
    """[d]: the point of least summed distance to points [n, d], by Weiszfeld's rule."""
    guess = points.mean(dim=0)
    for _ in range(rounds):
        weights = 1 / (points - guess).norm(dim=1).clamp_min(1e-12)
        moved = weights @ points / weights.sum()
        done = (moved - guess).norm() < tolerance * guess.norm().clamp_min(1.0)
        guess = moved
        if done:
            break
    return guess


@torch.no_grad()
def folded(tensors: Weights, inputs: Frame, outputs: Frame, *, subtracts: bool) -> dict[str, Tensor]:
    """`tensors` of an SAE in its frames as those of the same SAE in the model's coordinates.

    Activations get the outputs' unit (their mean scale), so that the rows of W_dec keep their length:
        W_enc u / s_in     biases, threshold: u b     W_dec s_out / u     b_dec: c_out + s_out b_dec
    Without a subtraction the input's centre goes into b_enc; a skip matrix [d_out, d_in] turns with both frames.
    """
    unit = outputs.scale.mean()
    out = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    shift = inputs.centre / inputs.scale  # [d_in]
    for name in _IN_ACTIVATIONS:
        if name in out:
            moved = out[name] if subtracts or name == "threshold" else out[name] - shift @ out["W_enc"]
            out[name] = unit * moved
    b_dec = out["b_dec"]
    if "W_skip" in out:
        b_dec = b_dec - out["W_skip"] @ shift
        out["W_skip"] = out["W_skip"] * outputs.scale[:, None] / inputs.scale
    out["b_dec"] = outputs.centre + outputs.scale * b_dec
    out["W_enc"] = out["W_enc"] * (unit / inputs.scale)[:, None]
    out["W_dec"] = out["W_dec"] * (outputs.scale / unit)
    return {name: tensor.contiguous() for name, tensor in out.items()}
