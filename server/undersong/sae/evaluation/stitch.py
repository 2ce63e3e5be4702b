"""What a wider SAE B knows that A does not: stitching of SAEs of different sizes (Leask et al., arXiv 2502.04878).

Of each feature of B two things are asked:

- similarity: the largest cosine of its direction with one of A's. Above THRESHOLD it refines what A has; below it is
  new. (The paper finds 0.7 to tell best which kind a feature is, on GPT-2.)
- effect: what adding it to A does to A's squared error, summed over tokens, exactly and for all features at once:
      |r - f d|^2 - |r|^2  =  f^2 |d|^2 - 2 f (r.d),   r = x - A's reconstruction
  in the model's units. Below 0 it adds what A lacked; above, A had it already and it is counted twice.

A stitched SAE has A's features and some of B's: those that are new and lower the error (`added`), or all that live, in
the place of the features of A that they refine (`swapped`). A feature and all that it is like are swapped together: of
A goes whatever is as near as THRESHOLD to anything that comes. It is written as JumpReLU, where a ReLU is a threshold
of 0, with each b_dec folded into its encoder: so the two encoders give just what they gave. TopK SAEs, whose features
compete, have no such form; nor have those that normalise token by token. Its own b_dec lies between theirs,
b_A + w (b_B - b_A), w the least-squares choice on the residuals seen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from undersong.errors import BadInput
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.architectures.jumprelu import JumpReLUSAE
from undersong.sae.architectures.standard import StandardSAE
from undersong.sae.base import SAE

THRESHOLD = 0.7
Kind = Literal["new", "refines", "dead"]
FITS = ("standard", "jumprelu")
_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Kinship:
    """Of B's features: `similarity` [d_B], `nearest` [d_B] which of A's; `effect` [d_B] on A's squared error, a mean
    over all tokens; `density` [d_B] share of tokens on which it is active. By directions alone (`tokens` 0) the effects
    are NaN and every feature counts as alive."""

    similarity: Tensor
    nearest: Tensor
    effect: Tensor
    density: Tensor
    tokens: int

    def kind(self, feature: int, threshold: float = THRESHOLD) -> Kind:
        if self.tokens and float(self.density[feature]) == 0:
            return "dead"
        return "new" if float(self.similarity[feature]) < threshold else "refines"

    def new(self, threshold: float = THRESHOLD) -> Tensor:
        """[d_B] bool: alive and unlike all of A's."""
        return (self.similarity < threshold) & ((self.density > 0) | (self.tokens == 0))

    def refining(self, threshold: float = THRESHOLD) -> Tensor:
        return (self.similarity >= threshold) & ((self.density > 0) | (self.tokens == 0))


def check_pair(a: SAE, b: SAE) -> None:
    """BadInput unless both read and rebuild the same place."""
    for what, of_a, of_b in (
        ("hook point", str(a.config.point), str(b.config.point)),
        ("place rebuilt", str(a.config.point_out), str(b.config.point_out)),
        ("d_in", a.d_in, b.d_in),
        ("grain", a.grain, b.grain),
        ("normalization", a.config.normalization, b.config.normalization),
    ):
        if of_a != of_b:
            raise BadInput(f"stitch: expected SAEs of one {what}; found {of_a} and {of_b}")


@torch.inference_mode()
def similarity(a: SAE, b: SAE) -> Kinship:
    """By directions alone."""
    check_pair(a, b)
    ours = torch.nn.functional.normalize(a.W_dec.float(), dim=1)
    best: list[Tensor] = []
    where: list[Tensor] = []
    for rows in torch.nn.functional.normalize(b.W_dec.float(), dim=1).split(_ROWS):
        found = (rows @ ours.T.to(rows.device)).max(dim=1)
        best.append(found.values.cpu())
        where.append(found.indices.cpu())
    unknown = torch.full((b.d_sae,), torch.nan)
    return Kinship(torch.cat(best), torch.cat(where), unknown, torch.zeros(b.d_sae), 0)


class EffectMeter:
    """Takes residuals batch by batch; `kinship` has the effects on all of them."""

    def __init__(self, a: SAE, b: SAE) -> None:
        self._a, self._b = a, b
        self._known = similarity(a, b)
        self._effect = torch.zeros(b.d_sae, dtype=torch.float64)
        self._active = torch.zeros(b.d_sae, dtype=torch.float64)
        self._tokens = 0

    @torch.inference_mode()
    def add(self, read: Tensor, held: Tensor) -> None:
        """`read` [n, d_in], `held` [n, d_out] what lies where they rebuild."""
        rows = max(1, (1 << 25) // max(self._a.d_sae, self._b.d_sae))
        for x, target in zip(read.split(rows), held.split(rows), strict=True):
            left = target.to(self._a.device).float() - self._a.rebuild(x).float()  # [n, d_out]
            codes = self._b.encode(x).float() * self._b.unit(x).float()  # [n, d_B], in the model's units
            directions = self._b.W_dec.float()
            along = left.to(directions.device) @ directions.T
            change = codes.square() * directions.square().sum(1) - 2 * codes * along
            self._effect += change.double().sum(0).cpu()
            self._active += (codes > 0).sum(0).double().cpu()
            self._tokens += len(x)

    def kinship(self) -> Kinship:
        count = max(1, self._tokens)
        return replace(
            self._known,
            effect=(self._effect / count).float(),
            density=(self._active / count).float(),
            tokens=self._tokens,
        )


@torch.inference_mode()
def stitched(a: SAE, b: SAE, from_a: Tensor, from_b: Tensor, read: Tensor, held: Tensor, id: str = "stitched") -> SAE:
    """The SAE with the features `from_a` [d_A] bool and `from_b` [d_B] bool; A's first, in their order.

    `read` [n, d_in], `held` [n, d_out]: residuals that its b_dec is fitted on. BadInput as `check_separable`.
    """
    check_pair(a, b)
    check_separable(a, b)
    parts = [_part(a, from_a), _part(b, from_b)]
    weights = {
        name: torch.cat([part[name] for part in parts], dim=1 if name == "W_enc" else 0)
        for name in ("W_enc", "b_enc", "threshold", "W_dec")
    }
    low, high = a.b_dec.float(), b.b_dec.float().to(a.b_dec.device)
    config = replace(
        a.config,
        architecture="jumprelu",
        d_sae=weights["W_dec"].shape[0],
        apply_b_dec_to_input=False,
        # What was known of A is not known of it.
        published_l0=None,
        extras=None,
        k=None,
        rescale_acts_by_decoder_norm=False,
    )
    base = ARCHITECTURES["jumprelu"](id, config, {**weights, "b_dec": low})
    gap = high - low
    along = sum(
        float(((y.to(low.device).float() - base.rebuild(x).float()) @ gap).sum())
        for x, y in zip(read.split(_ROWS), held.split(_ROWS), strict=True)
    )
    reach = float(gap.square().sum())
    share = along / len(read) / reach if reach > 0 and len(read) else 0.0
    return ARCHITECTURES["jumprelu"](id, config, {**weights, "b_dec": low + share * gap})


def added(a: SAE, b: SAE, kinship: Kinship, threshold: float = THRESHOLD) -> tuple[Tensor, Tensor]:
    """(of A, of B) bool: all of A, and what is new in B and lowers A's error where that was measured."""
    return torch.ones(a.d_sae, dtype=torch.bool), kinship.new(threshold) & ~(kinship.effect >= 0)


def swapped(a: SAE, b: SAE, kinship: Kinship, threshold: float = THRESHOLD) -> tuple[Tensor, Tensor]:
    """(of A, of B) bool: all of B that lives, and those of A that nothing in it refines."""
    refining = kinship.refining(threshold)
    ours = torch.nn.functional.normalize(a.W_dec.float(), dim=1)
    theirs = torch.nn.functional.normalize(b.W_dec.float()[refining.to(b.device)], dim=1).to(ours.device)
    refined = torch.zeros(a.d_sae, dtype=torch.bool)
    for rows in theirs.split(_ROWS):
        refined |= ((rows @ ours.T) >= threshold).any(dim=0).cpu()
    return ~refined, kinship.new(threshold) | refining


def check_separable(*saes: SAE) -> None:
    """BadInput unless what each feature does can be said without the others, and in the model's own units."""
    for sae in saes:
        if not isinstance(sae, StandardSAE | JumpReLUSAE) or sae.config.architecture not in FITS:
            raise BadInput(
                f"stitch: expected an SAE whose features do not compete ({', '.join(FITS)}), "
                f"found {sae.config.architecture} in {sae.id}: its features alone do not say when they are active"
            )
        if sae.config.normalization != "none":
            raise BadInput(f"stitch: expected SAEs in the model's own units, found {sae.config.normalization}")


def _part(sae: SAE, chosen: Tensor) -> dict[str, Tensor]:
    """The chosen features in JumpReLU form, b_dec folded in."""
    assert isinstance(sae, StandardSAE | JumpReLUSAE)
    chosen = chosen.to(sae.device)
    w_enc, b_enc = sae.W_enc.float(), sae.b_enc.float()
    threshold = sae.threshold.float() if isinstance(sae, JumpReLUSAE) else torch.zeros_like(b_enc)
    if sae.config.apply_b_dec_to_input:
        b_enc = b_enc - sae.b_dec.float() @ w_enc
    return {
        "W_enc": w_enc[:, chosen],
        "b_enc": b_enc[chosen],
        "threshold": threshold[chosen],
        "W_dec": sae.W_dec.float()[chosen],
    }
