"""What is known of an SAE without its weights: what its file says, and what was assumed where the file is silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from undersong.hook_points import HookPoint, parse

Grain = Literal["token", "passage"]
Normalization = Literal["none", "layer_norm", "constant_norm_rescale"]


@dataclass(frozen=True, slots=True)
class Assumption:
    """A convention that a file does not state: what it concerns, what its reader took, and why."""

    what: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class SAEConfig:
    """What a file says about its SAE, and what its reader assumed.

    `hook_name` is where it reads, `hook_out` where what it rebuilds lies if that is another place (transcoders): names
    that undersong.hook_points.parse knows. `hook_layer` is the block of the first, counted from 0. `d_out` is None
    where it is d_in.
    `normalization`: what is done to each token's input, and undone on the reconstruction; scales that are the same for
    all tokens are folded into the weights instead.
    `grain`: `token` SAEs read residuals token by token, `passage` dictionaries read their mean over a passage, drawn
    towards an ordinary one as if by `prior_tokens` more tokens.
    `published_l0`: how many features its makers say are active on a token.
    `extras`: the rest of the file's own metadata, unread.
    """

    architecture: str
    d_in: int
    d_sae: int
    hook_name: str
    hook_layer: int
    grain: Grain = "token"
    prior_tokens: int = 0
    apply_b_dec_to_input: bool = True
    k: int | None = None
    rescale_acts_by_decoder_norm: bool = False
    prepend_bos: bool = True
    context_size: int | None = None
    model_name: str | None = None
    extras: Mapping[str, Any] | None = None
    d_out: int | None = None
    hook_out: str | None = None
    normalization: Normalization = "none"
    published_l0: float | None = None
    assumptions: tuple[Assumption, ...] = ()

    @property
    def point(self) -> HookPoint:
        """Where it reads."""
        return parse(self.hook_name)

    @property
    def point_out(self) -> HookPoint:
        """Where what it rebuilds lies."""
        return parse(self.hook_out or self.hook_name)

    @property
    def sizes(self) -> dict[str, int]:
        """What the names in `SAE.shapes` stand for."""
        return {"d_in": self.d_in, "d_sae": self.d_sae, "d_out": self.d_out or self.d_in}
