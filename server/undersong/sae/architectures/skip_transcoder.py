"""Transcoders with a linear path beside the features: what is read, times W_skip, is added to what is rebuilt.

W_skip [d_out, d_in] as SAELens and sparsify keep it: rebuilt += x W_skip^T (Paulo et al., 2501.18823). It carries no
feature: `decode` is without it, `rebuild` with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from undersong.sae.architectures.transcoder import (
    GroupMaxTranscoder,
    JumpReLUTranscoder,
    JumpReLUTranscoderObjective,
    TopKTranscoder,
    TopKTranscoderObjective,
    Transcoder,
    TranscoderObjective,
)
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.learning import Moment, Objective, Outcome, Sizes, Weights

_SKIP = {"W_skip": ("d_out", "d_in")}


class _Skipping(SAE):
    def __init__(self, id: str, config: SAEConfig, weights: Mapping[str, Tensor]) -> None:
        super().__init__(id, config, weights)
        self.W_skip = weights["W_skip"]

    def _output(self, rebuilt: Tensor, flat: Tensor) -> Tensor:
        return super()._output(rebuilt, flat) + flat.to(self.device, self.dtype) @ self.W_skip.T


class SkipTranscoder(_Skipping, Transcoder):
    shapes: ClassVar = {**Transcoder.shapes, **_SKIP}


class JumpReLUSkipTranscoder(_Skipping, JumpReLUTranscoder):
    shapes: ClassVar = {**JumpReLUTranscoder.shapes, **_SKIP}


class TopKSkipTranscoder(_Skipping, TopKTranscoder):
    shapes: ClassVar = {**TopKTranscoder.shapes, **_SKIP}


class GroupMaxSkipTranscoder(_Skipping, GroupMaxTranscoder):
    shapes: ClassVar = {**GroupMaxTranscoder.shapes, **_SKIP}


@dataclass(frozen=True)
class _SkippingObjective(Objective):
    """What the linear path does not explain is what the features are to rebuild; both learn at once, it from zero."""

    def start(self, sizes: Sizes, random: torch.Generator) -> dict[str, Tensor]:
        return {**super().start(sizes, random), "W_skip": torch.zeros(sizes.d_out, sizes.d_in)}

    def loss(self, w: Weights, buffers: Weights, x: Tensor, target: Tensor, moment: Moment) -> Outcome:
        return super().loss(w, buffers, x, target - x @ w["W_skip"].T, moment)  # pyright: ignore[reportAbstractUsage]


@dataclass(frozen=True)
class SkipTranscoderObjective(_SkippingObjective, TranscoderObjective):
    architecture: ClassVar = "skip_transcoder"


@dataclass(frozen=True)
class JumpReLUSkipTranscoderObjective(_SkippingObjective, JumpReLUTranscoderObjective):
    architecture: ClassVar = "jumprelu_skip_transcoder"


@dataclass(frozen=True)
class TopKSkipTranscoderObjective(_SkippingObjective, TopKTranscoderObjective):
    architecture: ClassVar = "topk_skip_transcoder"
