"""Our figures and those of sae_lens' own `evals`: one SAE, one transformers model, the same tokens.

Needs sae-lens (6.54.12 was used); sae_lens reads the model through its HookedProxyLM.
"""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.support.tiny_models import N_LAYERS, sae_tensors, tiny_network, tiny_tokenizer
from undersong.engine.subject import ModelSubject
from undersong.model.language_model import describe
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAEConfig
from undersong.sae.evaluation.measure import measure

pytest.importorskip("sae_lens")
pytestmark = pytest.mark.filterwarnings("default")

ROWS, LENGTH, BATCHES = 4, 24, 3
LAYER = 1


class Store:
    """What `run_evals` asks of an ActivationsStore, over given tokens."""

    context_size, store_batch_size_prompts = LENGTH, ROWS

    def __init__(self, ids: torch.Tensor) -> None:
        self.ids = ids
        self.reset_input_dataset()

    def reset_input_dataset(self) -> None:
        self.parts = iter(self.ids.split(ROWS))

    def get_batch_tokens(self, size: int) -> torch.Tensor:
        assert size == ROWS
        return next(self.parts)


def theirs(architecture: str, tensors: dict[str, torch.Tensor], network: Any, ids: torch.Tensor, batches: int) -> Any:
    from sae_lens.evals import get_eval_everything_config, run_evals
    from sae_lens.load_model import HookedProxyLM
    from sae_lens.saes.sae import SAE
    from sae_lens.training.activation_scaler import ActivationScaler

    config = {
        "architecture": architecture,
        "d_in": 32,
        "d_sae": 64,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": f"model.layers.{LAYER}", "hook_head_index": None},
        **({"k": 8, "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}),
    }
    sae = SAE.from_dict(config)
    sae.load_state_dict(tensors)
    return run_evals(
        sae,
        Store(ids),  # pyright: ignore[reportArgumentType]
        HookedProxyLM(network, tiny_tokenizer()),
        ActivationScaler(),
        get_eval_everything_config(ROWS, batches, batches),
    )


@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk", "gated"])
@pytest.mark.parametrize("batches", [1, BATCHES])
def test_sae_lens_finds_the_same(architecture: str, batches: int) -> None:
    network, tensors = tiny_network("llama"), sae_tensors(architecture, 32, 64, seed=5)
    model = describe(network, tiny_tokenizer(), "tiny")
    ids = torch.randint(1, len(tiny_tokenizer()), (ROWS * batches, LENGTH), generator=torch.Generator().manual_seed(4))
    ids[:, 0] = model.bos_id or 0
    ids[2, 9] = model.bos_id or 0
    k = {"k": 8} if architecture == "topk" else {}
    config = SAEConfig(architecture, 32, 64, f"blocks.{LAYER}.hook_resid_post", LAYER, **k)  # pyright: ignore[reportArgumentType]
    sae = ARCHITECTURES[architecture]("1", config, tensors)
    assert LAYER < N_LAYERS - 1

    groups, features = theirs(architecture, tensors, network, ids, batches)
    expected = SimpleNamespace(**{name: value for group in groups.values() for name, value in group.items()})
    found = measure(sae, ModelSubject(model, sae), ids.split(ROWS))
    assert found.behaviour is not None

    compared = 0
    for name, estimate in (asdict(found.fidelity) | asdict(found.behaviour)).items():
        # A mean of the batches' ratios there, a ratio of means here: the same for one batch.
        tolerance = 2e-2 if name == "relative_reconstruction_bias" and batches > 1 else 1e-3
        assert estimate["value"] == pytest.approx(getattr(expected, name), rel=tolerance, abs=1e-3), name
        compared += 1
    assert compared == 17
    density = torch.tensor(features["feature_density"])
    torch.testing.assert_close(found.features.density, density, atol=1e-6, rtol=1e-5)
    alive = density > 0
    consistency = torch.tensor(features["consistent_activation_heuristic"])
    torch.testing.assert_close(found.features.consistency[alive], consistency[alive])
    torch.testing.assert_close(found.features.cosine, torch.tensor(features["encoder_decoder_cosine_sim"]))
