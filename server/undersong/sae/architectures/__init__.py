"""Architectures by the name that files give them. A new one is a file here and a line in this table."""

from __future__ import annotations

from undersong.sae.architectures.gated import GatedSAE
from undersong.sae.architectures.jumprelu import JumpReLUSAE
from undersong.sae.architectures.standard import StandardSAE
from undersong.sae.architectures.topk import TopKSAE
from undersong.sae.base import SAE

ARCHITECTURES: dict[str, type[SAE]] = {
    "standard": StandardSAE,
    "topk": TopKSAE,
    "jumprelu": JumpReLUSAE,
    "gated": GatedSAE,
}
