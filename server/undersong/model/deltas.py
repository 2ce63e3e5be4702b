"""What is added at one place of the residual stream, so that the features that write there change as they are asked to.

Always a delta, h <- h + delta; nothing is replaced by a reconstruction. For features i = 1..k that write to one place
of the residual stream, with directions d_i (rows of D, model space) and readings f_i, the wanted changes are

    floor   c_i = max(0, target_i - f_i)      at least the target
    clamp   c_i = target_i - f_i              exactly the target
    ablate  c_i = -f_i                        nothing left
    add     delta += strength_i * d_i         unread; comes first, and the others read with it

An SAE that normalises its input counts in units of that input's size: c_i and strength_i are then multiplied by it,
token by token.

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

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from undersong.hook_points import HookPoint
from undersong.model.sites import plus

if TYPE_CHECKING:
    from undersong.model.interventions import Gate, Intervention

_DAMPING = 0.01


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


class PointWriter:
    """All interventions at one place, made ready: constants are worked out once, tokens come by the thousand."""

    def __init__(
        self,
        point: HookPoint,
        interventions: Sequence[Intervention],
        read: Mapping[HookPoint, Tensor],
        device: torch.device,
        max_fraction: float | None,
    ) -> None:
        """`read`: what passes at `elsewhere`, filled as the model runs."""
        self._point, self._values, self._max_fraction = point, read, max_fraction
        self.factors: Tensor | None = None
        """[rows, 1, 1], or None for ones."""
        adds = [each for each in interventions if each.operation == "add"]
        self._untouched = _untouched(interventions, device)
        self._constant: Tensor | float = 0.0
        self._most: Tensor | None
        """[rows|1, 1, 1], where the constant is all: times the stream's norm, the share of it that the cap leaves."""
        self._scaled: list[tuple[Tensor, Intervention]] = []
        for each in adds:
            vector = _rowwise(each.targets, device) @ each.directions.to(device, torch.float32)  # [rows|1, 1, d]
            vector = vector * _scale(each, device)
            if each.unit is None and each.gate is None:
                self._constant = self._constant + vector
            else:
                self._scaled.append((vector, each))
        self._wishes = [_Wish(each, device) for each in interventions if each.operation != "add"]
        used = [wish.intervention for wish in self._wishes] + [each for _, each in self._scaled]
        gates = {each.gate.reads for each in interventions if each.gate is not None and each.gate.reads is not None}
        self.elsewhere = (frozenset(each.read_at for each in used) | gates) - {point}
        self._most = None
        if isinstance(self._constant, Tensor) and not used and max_fraction is not None:
            self._most = max_fraction / self._constant.norm(dim=-1, keepdim=True).clamp_min(1e-12)
        if not self._wishes:
            return
        directions = torch.cat([wish.intervention.directions.to(device, torch.float32) for wish in self._wishes])
        self._units = directions / directions.norm(dim=1, keepdim=True)  # [k, d]
        self._gram = self._units @ self._units.T
        self._floors = torch.cat([wish.floors for wish in self._wishes])  # [k]

    def steered(self, passing: Tensor) -> Tensor:
        """`passing` [rows, n, d_model] with its delta added, in the precision of the delta."""
        if self._most is None or passing.dtype != torch.float32:
            return plus(passing, self.delta(passing))
        assert isinstance(self._constant, Tensor)
        # All of it is known beforehand but how long the stream is.
        limit = (passing.norm(dim=-1, keepdim=True) * self._most).clamp_max(1.0)
        if self.factors is not None:
            limit = limit * self.factors
        steered = torch.addcmul(passing, self._constant, limit)
        return steered if self._untouched is None else torch.where(self._untouched, passing, steered)

    def delta(self, passing: Tensor) -> Tensor:
        """[rows, n, d_model] float32 of what passes."""
        stream = passing.to(torch.float32)
        delta = self._delta(stream)
        if self._max_fraction is not None:
            most = self._max_fraction * stream.norm(dim=-1, keepdim=True)
            # The tiny number: a delta of zero stays zero.
            delta = delta * (most / delta.norm(dim=-1, keepdim=True).clamp_min(1e-12)).clamp_max(1.0)
        if self.factors is not None:
            delta = delta * self.factors
        return delta if self._untouched is None else torch.where(self._untouched, 0.0, delta)

    def _delta(self, stream: Tensor) -> Tensor:
        added = self._constant
        for vector, each in self._scaled:
            more = vector if each.unit is None else vector * each.unit(self._value(each, stream)).to(vector)
            added = added + (more if each.gate is None else more * self._open(each.gate, stream))
        if not self._wishes:
            assert isinstance(added, Tensor)
            return added
        values = (self._value(wish.intervention, stream, added) for wish in self._wishes)
        asked = [wish(value) for wish, value in zip(self._wishes, values, strict=True)]
        asked = [
            (wanted, active if (gate := wish.intervention.gate) is None else active & self._open(gate, stream))
            for (wanted, active), wish in zip(asked, self._wishes, strict=True)
        ]
        wanted, active = (torch.cat(parts, dim=-1) for parts in zip(*asked, strict=True))
        return added + solve(self._gram, wanted, active, self._floors) @ self._units

    def _open(self, gate: Gate, stream: Tensor) -> Tensor:
        """[rows, n, 1] bool"""
        elsewhere = gate.reads is not None and gate.reads != self._point
        return gate(self._values[gate.reads].to(torch.float32) if elsewhere and gate.reads else stream)

    def _value(self, each: Intervention, stream: Tensor, added: Tensor | float = 0.0) -> Tensor:
        """What the intervention reads [rows, n, d], with what is added to it."""
        value = stream if each.read_at == self._point else self._values[each.read_at].to(torch.float32)
        return value + added if each.read_at in (self._point, each.point) else value


class _Wish:
    """What one intervention that reads asks for."""

    def __init__(self, intervention: Intervention, device: torch.device) -> None:
        self.intervention = intervention
        k = len(intervention.directions)
        is_floor, is_ablation = intervention.operation == "floor", intervention.operation == "ablate"
        self.floors = torch.full((k,), is_floor, device=device)
        targets = _rowwise(intervention.targets, device)
        self._targets = torch.zeros_like(targets) if is_ablation else targets  # [rows|1, 1, k]
        lengths = intervention.directions.to(device, torch.float32).norm(dim=1)
        self._weights = _scale(intervention, device) * lengths  # [rows|1, 1, k]

    def __call__(self, value: Tensor) -> tuple[Tensor, Tensor]:
        """(y of the module's docstring, which features ask for anything) [rows, n, k], of what is read."""
        one = self.intervention
        assert one.columns is not None
        wanted = (self._targets - one.columns(value).to(torch.float32)) * self._weights
        if one.unit is not None:
            wanted = wanted * one.unit(value).to(wanted)
        return wanted, (self._weights != 0) & (~self.floors | (wanted > 0))


def _rowwise(targets: Tensor, device: torch.device) -> Tensor:
    """[rows|1, 1, k]: one set of targets a row, the same at each position."""
    return targets.to(device, torch.float32).reshape(-1, 1, targets.shape[-1])


def _scale(intervention: Intervention, device: torch.device) -> Tensor:
    """[rows|1, 1, 1]"""
    if intervention.scale is None:
        return torch.ones((1, 1, 1), device=device)
    return intervention.scale.to(device, torch.float32).reshape(-1, 1, 1)


def _untouched(interventions: Sequence[Intervention], device: torch.device) -> Tensor | None:
    """[rows, 1, 1]: rows that every intervention here leaves alone; None if there are none."""
    untouched = torch.ones((1, 1, 1), dtype=torch.bool, device=device)
    for each in interventions:
        untouched = untouched & (_scale(each, device) == 0)
    return untouched if untouched.any() else None
