"""Training against dictionary_learning 0.1.0: losses and gradients."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sae.training.mixtures import D
from undersong.sae import annealing
from undersong.sae.annealing import Annealing
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Moment, Objective, Sizes

pytestmark = [pytest.mark.filterwarnings("default"), pytest.mark.usefixtures("dictionary_learning")]
N, D_SAE, SPARSITY, STEPS = 64, 40, 0.7, 100
COMMON: dict[str, Any] = {
    "steps": STEPS, "activation_dim": D, "dict_size": D_SAE, "layer": 0, "lm_name": "", "warmup_steps": 0,
    "sparsity_warmup_steps": 0, "device": "cpu",
}  # fmt: skip
SIZES = Sizes((D,), D_SAE, (D,))


def trainer_of(module: str, name: str, **stated: Any) -> Any:
    return getattr(importlib.import_module(f"dictionary_learning.trainers.{module}"), name)(**COMMON, **stated)


def test_gated_loss_and_gradients_are_its_own() -> None:
    objective = OBJECTIVES["gated"](sparsity=SPARSITY)
    trainer = trainer_of("gdm", "GatedSAETrainer", l1_penalty=SPARSITY)
    w = weights_of(objective)
    theirs = given(trainer, w)
    check(objective.loss(w, {}, x_of(), x_of(), Moment(0.0, 1.0, None)).loss, trainer.loss(x_of(), step=1), w, theirs)


def test_annealed_loss_and_gradients_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batch and weights stay as they are, so that its mean over ten steps and our running average are the same."""
    monkeypatch.setattr(annealing, "_LEAST", 1e-12)
    # Its five values of p are ours at levels 0 to 4; it comes to the fourth, 0.4, and so do we before the end.
    objective = OBJECTIVES["gated"](sparsity=SPARSITY, anneal=Annealing(end=0.2, begin=0.0, until=1.0, levels=4))
    trainer = trainer_of(
        "gated_anneal", "GatedAnnealTrainer", initial_sparsity_penalty=SPARSITY, sparsity_function="Lp^p",
        anneal_start=0, p_end=0.2, n_sparsity_updates=5,
    )  # fmt: skip
    w, buffers = weights_of(objective), objective.buffers(SIZES)
    theirs = given(trainer, w)
    for step in range(STEPS):
        outcome = objective.loss(w, buffers, x_of(), x_of(), Moment(step / STEPS, 1.0, None))
        buffers, expected = outcome.buffers, trainer.loss(x_of(), step)
    assert trainer.p == pytest.approx(0.4) and float(buffers["anneal_level"]) == 3
    check(outcome.loss, expected, w, theirs)


def weights_of(objective: Objective) -> dict[str, Tensor]:
    """Some way into training, rows of W_dec of length 1: its penalty counts on that."""
    random = torch.Generator().manual_seed(3)
    start = objective.start(SIZES, random)
    w = {name: tensor + 0.05 * torch.randn(tensor.shape, generator=random) for name, tensor in start.items()}
    objective.project(w)
    return {name: tensor.requires_grad_() for name, tensor in w.items()}


def given(trainer: Any, w: dict[str, Tensor]) -> dict[str, Tensor]:
    """The trainer's parameters by our names, with our values."""
    theirs = {
        "W_enc": trainer.ae.encoder.weight, "W_dec": trainer.ae.decoder.weight, "b_dec": trainer.ae.decoder_bias,
        "r_mag": trainer.ae.r_mag, "b_gate": trainer.ae.gate_bias, "b_mag": trainer.ae.mag_bias,
    }  # fmt: skip
    with torch.no_grad():
        for key, tensor in w.items():
            theirs[key].copy_(tensor.t() if tensor.ndim == 2 else tensor)
    return theirs


def x_of() -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(1))


def check(found: Tensor, expected: Tensor, w: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    found.backward()
    expected.backward()
    for key, tensor in w.items():
        ours, wanted = tensor.grad, theirs[key].grad
        assert ours is not None and wanted is not None
        wanted = wanted.t() if wanted.ndim == 2 else wanted
        if key == "W_dec":
            # Along a row the length changes, which both put back: what is left is across.
            ours, wanted = across(ours, tensor), across(wanted, tensor)
        torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4, msg=lambda m, key=key: f"{key}: {m}")


def across(gradient: Tensor, rows: Tensor) -> Tensor:
    return (gradient - (gradient * rows).sum(dim=1, keepdim=True) * rows).detach()
