"""Dictionaries of several places seen as one of their activations side by side, so that they are judged as SAEs are.

A crosscoder is one already. A cross-layer transcoder becomes one here: its layers' inputs side by side are read, its
layers' outputs rebuilt; features of layer i come after those of the layers below.
"""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.errors import BadInput
from undersong.hook_points import HookPoint, parse
from undersong.sae.architectures.cross_layer_transcoder import CrossLayerTranscoder
from undersong.sae.architectures.crosscoder import CrosscoderSAE
from undersong.sae.base import SAE
from undersong.sae.config import Grain, SAEConfig


class JoinedCLT:
    """A cross-layer transcoder with as much of an SAE's face as evaluation needs."""

    grain: Grain = "token"

    def __init__(self, clt: CrossLayerTranscoder) -> None:
        stated = clt.config
        self.clt, self.id = clt, clt.id
        n = stated.n_layers
        self.reads = tuple(stated.point(layer) for layer in range(n))
        self.writes = tuple(stated.point_out(layer) for layer in range(n))
        self.d_in, self.d_sae, self.d_out = n * stated.d_in, n * stated.d_sae, n * stated.d_out
        self.config = SAEConfig(
            architecture="cross_layer_transcoder",
            d_in=self.d_in,
            d_sae=self.d_sae,
            hook_name=str(self.reads[0]),
            hook_layer=0,
            apply_b_dec_to_input=False,
            model_name=stated.model_name,
            d_out=self.d_out,
            hook_out=str(self.writes[0]),
            published_l0=stated.published_l0,
        )

    @property
    def device(self) -> torch.device:
        return self.clt.device

    @torch.inference_mode()
    def encode(self, resid: Tensor) -> Tensor:
        """[..., d_sae] of all layers, of what they read, [..., d_in]."""
        parts = resid.unflatten(-1, (len(self.reads), -1))
        return torch.cat([self.clt.encode(layer, parts[..., layer, :]) for layer in range(len(self.reads))], dim=-1)

    @torch.inference_mode()
    def rebuild(self, resid: Tensor, acts: Tensor | None = None) -> Tensor:
        """[..., d_out] of all layers."""
        n = len(self.reads)
        x = resid.reshape(-1, n, self.clt.config.d_in).transpose(0, 1)
        codes = (self.encode(resid) if acts is None else acts).reshape(-1, n, self.clt.config.d_sae)
        rebuilt = self.clt.decode(codes.unbind(1))  # [n, tokens, d_out]
        if self.clt.W_skip is not None:
            rebuilt = rebuilt + x.to(self.clt.device, self.clt.dtype) @ self.clt.W_skip
        return rebuilt.transpose(0, 1).reshape(*resid.shape[:-1], self.d_out)


Dictionary = SAE | JoinedCLT


def places_of(sae: Dictionary) -> tuple[tuple[HookPoint, ...], tuple[HookPoint, ...]]:
    """(where it reads, where what it rebuilds lies); activations of several stand side by side in this order.

    BadInput for a crosscoder of several models: one model alone does not have what it reads.
    """
    if isinstance(sae, JoinedCLT):
        return sae.reads, sae.writes
    if isinstance(sae, CrosscoderSAE):
        if len({place.model_name for place in sae.places}) > 1:
            raise BadInput(f"SAE {sae.id}: expected places of one model, found a crosscoder of several")
        found = tuple(parse(place.hook_name) for place in sae.places)
        return found, found
    return (sae.config.point,), (sae.config.point_out,)
