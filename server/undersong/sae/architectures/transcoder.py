"""Transcoders: the encoder of another architecture, decoding into what the model holds at another place, d_out wide.

b_dec lies in the place written and is never subtracted from the place read (Dunefsky et al., 2406.11944).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from undersong.sae.architectures.groupmax import GroupMaxSAE
from undersong.sae.architectures.jumprelu import JumpReLUObjective, JumpReLUSAE
from undersong.sae.architectures.standard import StandardObjective, StandardSAE
from undersong.sae.architectures.topk import TopKObjective, TopKSAE


def _elsewhere(shapes: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """The tensors of an architecture, those of the decoder `d_out` wide."""
    return {**shapes, "W_dec": ("d_sae", "d_out"), "b_dec": ("d_out",)}


class Transcoder(StandardSAE):
    shapes: ClassVar = _elsewhere(StandardSAE.shapes)


class JumpReLUTranscoder(JumpReLUSAE):
    shapes: ClassVar = _elsewhere(JumpReLUSAE.shapes)


class TopKTranscoder(TopKSAE):
    shapes: ClassVar = _elsewhere(TopKSAE.shapes)


class GroupMaxTranscoder(GroupMaxSAE):
    shapes: ClassVar = _elsewhere(GroupMaxSAE.shapes)


@dataclass(frozen=True)
class TranscoderObjective(StandardObjective):
    """|y - y^|^2 and the penalty of a standard SAE (Dunefsky et al., 2406.11944)."""

    architecture: ClassVar = "transcoder"
    subtracts: ClassVar = False


@dataclass(frozen=True)
class JumpReLUTranscoderObjective(JumpReLUObjective):
    architecture: ClassVar = "jumprelu_transcoder"
    subtracts: ClassVar = False


@dataclass(frozen=True)
class TopKTranscoderObjective(TopKObjective):
    architecture: ClassVar = "topk_transcoder"
    subtracts: ClassVar = False
