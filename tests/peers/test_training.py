"""Training against sae_lens 6.54 itself: the same loss and gradients from the same weights, and files that it opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sae.training.mixtures import D, mixture
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.config import SAEConfig
from undersong.sae.learning import Moment, Objective, Sizes
from undersong.sae.load import load_sae
from undersong.sae.reviving import SHARE
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.writing import write_saelens

sae_lens = pytest.importorskip("sae_lens")
pytestmark = pytest.mark.filterwarnings("default")

N, D_SAE, K = 64, 40, 4
COMMON: dict[str, Any] = {"d_in": D, "d_sae": D_SAE}

TOPK: dict[str, Any] = {"k": K, "rescale_acts_by_decoder_norm": False, "aux_loss_coefficient": SHARE}

# Ours; theirs with the same settings; how many times our loss theirs is (we take the mean over Matryoshka's levels).
PAIRS: dict[str, tuple[Objective, str, dict[str, Any], int]] = {
    "standard": (OBJECTIVES["standard"](sparsity=0.7), "StandardTrainingSAE", {"l1_coefficient": 0.7}, 1),
    "topk": (OBJECTIVES["topk"](k=K), "TopKTrainingSAE", TOPK, 1),
    "batchtopk": (OBJECTIVES["batchtopk"](k=K), "BatchTopKTrainingSAE", TOPK, 1),
    "matryoshka": (
        OBJECTIVES["matryoshka"](k=K, shares=(0.25, 0.5)),
        "MatryoshkaBatchTopKTrainingSAE",
        {**TOPK, "matryoshka_widths": [10, 20, 40]},
        3,
    ),
    "jumprelu": (
        OBJECTIVES["jumprelu"](l0=6.0, sparsity=0.2, bandwidth=0.4, first_threshold=0.3),
        "JumpReLUTrainingSAE",
        {
            "l0_coefficient": 0.2, "jumprelu_bandwidth": 0.4, "jumprelu_init_threshold": 0.3,
            "jumprelu_sparsity_loss_mode": "quadratic", "target_l0": 6.0,
        },
        1,
    ),
    "gated": (OBJECTIVES["gated"](sparsity=0.7), "GatedTrainingSAE", {"l1_coefficient": 0.7}, 1),
}  # fmt: skip


def weights_of(objective: Objective) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(3)
    return {
        name: (tensor + 0.05 * torch.randn(tensor.shape, generator=random)).requires_grad_()
        for name, tensor in objective.start(Sizes((D,), D_SAE, (D,)), random).items()
    }


@pytest.mark.parametrize(
    ("name", "dead"), [*((name, None) for name in PAIRS), ("topk", torch.arange(D_SAE) % 7 == 0),
    ("topk", torch.arange(D_SAE) % 2 == 0), ("batchtopk", torch.arange(D_SAE) % 7 == 0)],
)  # fmt: skip
def test_loss_and_gradients_are_those_of_sae_lens(name: str, dead: Tensor | None) -> None:
    import sae_lens.saes as saes
    from sae_lens.saes.sae import TrainStepInput

    objective, their_class, settings, times = PAIRS[name]
    w = weights_of(objective)
    theirs = getattr(saes, their_class)(getattr(saes, f"{their_class}Config")(**COMMON, **settings))
    with torch.no_grad():
        for key, tensor in w.items():
            getattr(theirs, key).copy_(tensor)
    coefficients = {
        key: each if isinstance(each, float) else each.value for key, each in theirs.get_coefficients().items()
    }
    step = TrainStepInput(
        sae_in=x_of(), coefficients=coefficients, dead_neuron_mask=dead, n_training_steps=0, is_logging_step=False
    )
    expected = theirs.training_forward_pass(step)
    outcome = loss_of(objective, w, dead)
    torch.testing.assert_close(outcome * times, expected.loss, rtol=1e-4, atol=1e-4)
    outcome.backward()
    expected.loss.backward()
    for key, tensor in w.items():
        if name == "gated" and key in ("W_dec", "b_dec"):
            # The paper freezes the decoder in the auxiliary term; sae_lens does not, dictionary_learning does.
            continue
        assert tensor.grad is not None
        torch.testing.assert_close(
            tensor.grad * times, getattr(theirs, key).grad, atol=3e-4, rtol=1e-3, msg=lambda m, key=key: f"{key}: {m}"
        )


def x_of() -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(1))


def loss_of(objective: Objective, w: dict[str, Tensor], dead: Tensor | None) -> Tensor:
    return objective.loss(w, objective.buffers(Sizes((D,), D_SAE, (D,))), x_of(), x_of(), Moment(0.0, 1.0, dead)).loss


@pytest.mark.parametrize("name", PAIRS)
def test_what_was_trained_is_opened_by_sae_lens_and_computes_the_same(name: str, tmp_path: Path) -> None:
    objective = PAIRS[name][0]
    learner = Learner(objective, Sizes((D,), D_SAE, (D,)), LearnerPlan(learning_rate=3e-3))
    for step in range(60):
        learner.step(mixture().sample(128, step), None, step / 60)
    config = SAEConfig(
        objective.architecture, D, D_SAE, "blocks.2.hook_resid_post", 2, model_name="tiny", **objective.stated()
    )
    write_saelens(tmp_path, config, learner.finished(), {"steps": 60})
    theirs = sae_lens.SAE.load_from_disk(tmp_path)
    ours = load_sae(tmp_path)
    x = mixture().sample(200, -1)
    expected = theirs.encode(x)
    assert (expected > 0).any(dim=1).float().mean() > 0.5
    torch.testing.assert_close(ours.encode(x), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.decode(ours.encode(x)), theirs.decode(expected), atol=1e-4, rtol=1e-4)
