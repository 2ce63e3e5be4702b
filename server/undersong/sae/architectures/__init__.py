"""Architectures by the name that files give them. A new one is a file here and a line in this table.

The names are SAELens' where it has the architecture. cross_layer_transcoder reads and writes several places: it is no
`SAE` and is opened by undersong.sae.load.load_clt.
"""

from __future__ import annotations

from collections.abc import Callable

from undersong.sae.architectures.batchtopk import BatchTopKObjective
from undersong.sae.architectures.cross_layer_transcoder import CrossLayerObjective
from undersong.sae.architectures.crosscoder import CrosscoderObjective, CrosscoderSAE
from undersong.sae.architectures.gated import GatedObjective, GatedSAE
from undersong.sae.architectures.groupmax import GroupMaxSAE
from undersong.sae.architectures.jumprelu import JumpReLUObjective, JumpReLUSAE
from undersong.sae.architectures.matryoshka import MatryoshkaObjective
from undersong.sae.architectures.skip_transcoder import (
    GroupMaxSkipTranscoder,
    JumpReLUSkipTranscoder,
    JumpReLUSkipTranscoderObjective,
    SkipTranscoder,
    SkipTranscoderObjective,
    TopKSkipTranscoder,
    TopKSkipTranscoderObjective,
)
from undersong.sae.architectures.standard import StandardObjective, StandardSAE
from undersong.sae.architectures.topk import TopKObjective, TopKSAE
from undersong.sae.architectures.transcoder import (
    GroupMaxTranscoder,
    JumpReLUTranscoder,
    JumpReLUTranscoderObjective,
    TopKTranscoder,
    TopKTranscoderObjective,
    Transcoder,
    TranscoderObjective,
)
from undersong.sae.base import SAE
from undersong.sae.learning import Objective

ARCHITECTURES: dict[str, type[SAE]] = {
    "standard": StandardSAE,
    "topk": TopKSAE,
    "jumprelu": JumpReLUSAE,
    "gated": GatedSAE,
    "crosscoder": CrosscoderSAE,
    "groupmax": GroupMaxSAE,
    "transcoder": Transcoder,
    "jumprelu_transcoder": JumpReLUTranscoder,
    "topk_transcoder": TopKTranscoder,
    "groupmax_transcoder": GroupMaxTranscoder,
    "skip_transcoder": SkipTranscoder,
    "jumprelu_skip_transcoder": JumpReLUSkipTranscoder,
    "topk_skip_transcoder": TopKSkipTranscoder,
    "groupmax_skip_transcoder": GroupMaxSkipTranscoder,
}

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "standard": StandardObjective,
    "topk": TopKObjective,
    "batchtopk": BatchTopKObjective,
    "matryoshka": MatryoshkaObjective,
    "jumprelu": JumpReLUObjective,
    "gated": GatedObjective,
    "crosscoder": CrosscoderObjective,
    "cross_layer_transcoder": CrossLayerObjective,
    "transcoder": TranscoderObjective,
    "topk_transcoder": TopKTranscoderObjective,
    "jumprelu_transcoder": JumpReLUTranscoderObjective,
    "skip_transcoder": SkipTranscoderObjective,
    "topk_skip_transcoder": TopKSkipTranscoderObjective,
    "jumprelu_skip_transcoder": JumpReLUSkipTranscoderObjective,
}
"""How each is trained, by the name that `undersong sae train --arch` gives it."""
