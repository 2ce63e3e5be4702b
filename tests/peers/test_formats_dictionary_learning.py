"""dictionary_learning's classes against dictionary_learning 0.1.0."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sae.formats.libraries import trained
from tests.sae.formats.making import D_IN, D_SAE, K, inputs, random
from undersong.sae.load import load_sae

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("dictionary_learning")]
# Class -> where it is, and what it takes beside the sizes.
CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "AutoEncoder": ("dictionary", {}),
    "AutoEncoderNew": ("dictionary", {}),
    "GatedAutoEncoder": ("dictionary", {}),
    "JumpReluAutoEncoder": ("dictionary", {}),
    "AutoEncoderTopK": ("trainers.top_k", {"k": K}),
    "BatchTopKSAE": ("trainers.batch_top_k", {"k": K}),
    "MatryoshkaBatchTopKSAE": ("trainers.matryoshka_batch_top_k", {"k": K, "group_sizes": [24, 48]}),
}


@pytest.mark.parametrize("name", CLASSES)
def test_what_dictionary_learning_writes_computes_the_same_here(tmp_path: Path, name: str) -> None:
    module, stated = CLASSES[name]
    theirs: Any = getattr(importlib.import_module(f"dictionary_learning.{module}"), name)(D_IN, D_SAE, **stated)
    with torch.no_grad():
        for seed, (parameter_name, parameter) in enumerate(sorted(theirs.named_parameters())):
            noise = random(*parameter.shape, seed=seed) * 0.3
            parameter.copy_(noise.abs() if parameter_name == "threshold" else noise)
        if "threshold" in dict(theirs.named_buffers()):
            theirs.threshold.fill_(0.4)
    trained(tmp_path, name, theirs.state_dict(), **({"k": K} if "k" in stated else {}))
    x = inputs()
    with torch.no_grad():
        expected = theirs.encode(x)
        rebuilt = theirs.decode(expected)
    ours = load_sae(tmp_path)
    torch.testing.assert_close(ours.encode(x), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(ours.encode(x) > 0, expected > 0)
    torch.testing.assert_close(ours.rebuild(x), rebuilt, atol=1e-5, rtol=1e-5)
