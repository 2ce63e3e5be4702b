"""Steering: what is added to the residual stream after a block so that chosen features change by chosen amounts.

Always a delta, h <- h + delta; the stream is never replaced by a reconstruction. For features i = 1..k of one layer,
with directions d_i (rows of D, model space) and readings f_i(h), the wanted changes are

    floor   c_i = max(0, target_i - f_i(h))      at least the target
    clamp   c_i = target_i - f_i(h)              exactly the target
    ablate  c_i = -f_i(h)                        nothing left
    add     delta += strength_i * d_i            unread; comes first, and the others read h with it

Alone, feature i is met by delta = c_i d_i, which moves h by c_i |d_i| along its unit direction u_i = d_i / |d_i|.
Together deltas overlap where directions do, and a sum would count what they share twice. So each unit direction is
asked to move by just that, b solving

    u_i . delta = c_i |d_i|,   delta = sum_j b_j u_j      <=>      G b = y,   G = U U^T,   y_i = c_i |d_i|

(the smallest such delta). G is nearly singular for nearly parallel or opposite directions, so the damped solution

    b = (G^2 + r^2 I)^-1 G y,   r = 0.01

is taken: it agrees with G b = y to r^2 / e^2 along an eigenvector of eigenvalue e, and
|delta| <= 0.57 r^-1/2 |y| = 5.7 |y| whatever the directions. Two opposite requests of equal size give zero.

A floor asks for at least its change. Floors already met ask for nothing; a floor whose b is negative is carried past
its target by the others and would hold them back: it is let go, and the rest solved again.

The encoder is not the decoder: after the delta, f_i reads near its target, not exactly at it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from undersong.model.blocks import hidden_of, with_hidden
from undersong.model.language_model import LanguageModel

Operation = Literal["floor", "clamp", "add", "ablate"]
Columns = Callable[[Tensor], Tensor]

_DAMPING = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """One operation on k features of one layer.

    `directions` [k, d_model]. `targets` [k], or [rows, k] where rows differ: activations for floor and clamp,
    coefficients for add, unused for ablate. `columns` reads the k features: [..., d_model] -> [..., k]; only add does
    without. `scale` [rows], >= 0, multiplies the row's wanted change: 1 (as None) is all of it, and a row of scale 0
    stays as it was, bit for bit.
    """

    layer: int
    operation: Operation
    directions: Tensor
    targets: Tensor
    columns: Columns | None = None
    scale: Tensor | None = None

    def __post_init__(self) -> None:
        k = self.directions.shape[0]
        if self.operation not in ("floor", "clamp", "add", "ablate"):
            raise ValueError(f"operation: expected floor, clamp, add or ablate, found {self.operation!r}")
        if self.directions.ndim != 2 or not k:
            raise ValueError(f"directions: expected [k, d_model], found {list(self.directions.shape)}")
        if self.targets.ndim not in (1, 2) or self.targets.shape[-1] != k:
            raise ValueError(f"targets: expected [{k}] or [rows, {k}], found {list(self.targets.shape)}")
        if self.columns is None and self.operation != "add":
            raise ValueError(f"columns: expected a reader for {self.operation}, found none")
        if not (self.directions.norm(dim=1) > 0).all() or not torch.isfinite(self.directions).all():
            raise ValueError("directions: expected finite directions with a length, found one without")
        if not torch.isfinite(self.targets).all():
            raise ValueError("targets: expected finite numbers")
        if self.scale is not None and not (torch.isfinite(self.scale) & (self.scale >= 0)).all():
            raise ValueError("scale: expected finite numbers, none below 0")


class Steering:
    """While entered, every position that runs through the model is steered. May be entered again and again.

    `max_fraction` caps the whole delta of a layer at that fraction of |h|, position by position; None: no cap.
    """

    def __init__(
        self, model: LanguageModel, interventions: Sequence[Intervention], max_fraction: float | None = 1.0
    ) -> None:
        layers = sorted({intervention.layer for intervention in interventions})
        if layers and not 0 <= layers[0] <= layers[-1] < model.n_layers:
            raise ValueError(f"interventions: expected layers from 0 to {model.n_layers - 1}, found {layers}")
        self._sites = [
            (
                model.blocks.modules[layer],
                _Site([each for each in interventions if each.layer == layer], model.device, max_fraction).hook,
            )
            for layer in layers
        ]
        self._handles: list[Any] = []

    def __enter__(self) -> Steering:
        self._handles = [module.register_forward_hook(hook) for module, hook in self._sites]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles = []


def steering(model: LanguageModel, interventions: Sequence[Intervention], max_fraction: float | None = 1.0) -> Steering:
    """`with steering(model, interventions): ...` steers what runs inside."""
    return Steering(model, interventions, max_fraction)


def solve(gram: Tensor, wanted: Tensor, active: Tensor, floors: Tensor) -> Tensor:
    """b [..., k] of the module's docstring: `gram` [k, k] of unit directions, `wanted` y [..., k].

    `active` [..., k] says which features ask for anything; `floors` [k] which may be let go. Others get 0.
    """
    k = gram.shape[0]
    if k == 1:
        return torch.where(active, wanted, 0.0)
    ridge = _DAMPING**2 * torch.eye(k, dtype=gram.dtype, device=gram.device)
    # Each round lets go of at least one floor or is the last.
    while True:
        mask = active.to(gram.dtype)
        masked = gram * mask[..., :, None] * mask[..., None, :]
        right = masked @ (wanted * mask)[..., None]
        b = torch.linalg.solve(masked @ masked + ridge, right)[..., 0] * mask
        surplus = floors & active & (b < 0)
        if not surplus.any():
            return b
        active = active & ~surplus


class _Site:
    """All interventions at one layer, made ready: constants are worked out once, tokens come by the thousand."""

    def __init__(self, interventions: Sequence[Intervention], device: torch.device, max_fraction: float | None) -> None:
        self._max_fraction = max_fraction
        adds = [each for each in interventions if each.operation == "add"]
        self._reads = [each for each in interventions if each.operation != "add"]
        self._untouched = _untouched(interventions, device)
        self._added: Tensor | float = 0.0
        for each in adds:
            vector = _rowwise(each.targets, device) @ each.directions.to(device, torch.float32)  # [rows|1, 1, d]
            self._added = self._added + vector * _scale(each, device)
        if not self._reads:
            return
        directions = torch.cat([each.directions.to(device, torch.float32) for each in self._reads])  # [k, d]
        lengths = directions.norm(dim=1)  # [k]
        self._units = directions / lengths[:, None]
        self._gram = self._units @ self._units.T
        self._floors = torch.cat([_per_feature(each, each.operation == "floor", device) for each in self._reads])  # [k]
        ablated = torch.cat([_per_feature(each, each.operation == "ablate", device) for each in self._reads])
        rows = max(len(_rowwise(each.targets, device)) for each in self._reads)
        targets = torch.cat(
            [_rowwise(each.targets, device).expand(rows, -1, -1) for each in self._reads], dim=-1
        )  # [rows|1, 1, k]
        self._targets = torch.where(ablated, 0.0, targets)
        scales = [_scale(each, device).expand(-1, -1, each.directions.shape[0]) for each in self._reads]
        most = max(len(scale) for scale in scales)
        self._weights = torch.cat([scale.expand(most, -1, -1) for scale in scales], dim=-1) * lengths  # [rows|1, 1, k]
        self._asked = self._weights != 0

    def hook(self, _module: nn.Module, _inputs: Any, output: Any) -> Any:
        hidden = hidden_of(output)  # [rows, n, d]
        stream = hidden.to(torch.float32)
        delta = self._delta(stream)
        if self._max_fraction is not None:
            most = self._max_fraction * stream.norm(dim=-1, keepdim=True)
            # The tiny number: a delta of zero stays zero.
            delta = delta * (most / delta.norm(dim=-1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)
        steered = (stream + delta).to(hidden.dtype)
        if self._untouched is not None:
            # Adding zero would turn -0.0 into 0.0.
            steered = torch.where(self._untouched, hidden, steered)
        return with_hidden(output, steered)

    def _delta(self, stream: Tensor) -> Tensor:
        if not self._reads:
            assert isinstance(self._added, Tensor)
            return self._added
        stream = stream + self._added
        read = [each.columns(stream).to(torch.float32) for each in self._reads if each.columns is not None]
        found = read[0] if len(read) == 1 else torch.cat(read, dim=-1)  # [rows, n, k]
        wanted = (self._targets - found) * self._weights
        active = self._asked & (~self._floors | (wanted > 0))
        return self._added + solve(self._gram, wanted, active, self._floors) @ self._units


def _rowwise(targets: Tensor, device: torch.device) -> Tensor:
    """[rows|1, 1, k]: one set of targets a row, the same at each position."""
    return targets.to(device, torch.float32).reshape(-1, 1, targets.shape[-1])


def _scale(intervention: Intervention, device: torch.device) -> Tensor:
    """[rows|1, 1, 1]"""
    if intervention.scale is None:
        return torch.ones((1, 1, 1), device=device)
    return intervention.scale.to(device, torch.float32).reshape(-1, 1, 1)


def _per_feature(intervention: Intervention, value: bool, device: torch.device) -> Tensor:
    return torch.full((intervention.directions.shape[0],), value, device=device)


def _untouched(interventions: Sequence[Intervention], device: torch.device) -> Tensor | None:
    """[rows, 1, 1]: rows that every intervention here leaves alone; None if there are none."""
    untouched = torch.ones((1, 1, 1), dtype=torch.bool, device=device)
    for each in interventions:
        untouched = untouched & (_scale(each, device) == 0)
    return untouched if untouched.any() else None
