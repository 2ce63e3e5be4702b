"""A cross-layer transcoder learns all layers at once; its loss against one written out, its tensors at work."""

from __future__ import annotations

import torch
from torch import Tensor

from undersong.sae.architectures.cross_layer_transcoder import (
    CLTConfig,
    CrossLayerObjective,
    CrossLayerTranscoder,
    HeldDecoders,
)
from undersong.sae.learning import Moment, Sizes
from undersong.sae.training.learner import Learner, LearnerPlan
from undersong.sae.training.schedules import Schedule

LAYERS, D_IN, D_OUT, D_SAE = 3, 6, 5, 16
OBJECTIVE = CrossLayerObjective(layers=LAYERS, sparsity=0.05, bandwidth=0.3)
SIZES = Sizes((D_IN,) * LAYERS, LAYERS * D_SAE, (D_OUT,) * LAYERS)


def through(n: int, seed: int) -> tuple[Tensor, Tensor]:
    """What each layer reads [n, LAYERS D_IN], and what it does with it: a ReLU's worth, written there and above."""
    random = torch.Generator().manual_seed(0)
    enc = torch.randn(LAYERS, D_IN, 4, generator=random)
    dec = torch.randn(LAYERS, LAYERS, 4, D_OUT, generator=random)
    x = torch.randn(n, LAYERS, D_IN, generator=torch.Generator().manual_seed(seed)) + 1.0
    hidden = torch.einsum("nli,lif->nlf", x, enc).sub(2.0).relu()
    y = torch.zeros(n, LAYERS, D_OUT)
    for source in range(LAYERS):
        for target in range(source, LAYERS):
            y[:, target] += hidden[:, source] @ dec[source, target]
    return x.flatten(1), (y + 3.0).flatten(1)


def slowly(w: dict[str, Tensor], x: Tensor, y: Tensor, dead: Tensor) -> Tensor:
    total = torch.zeros(())
    for row in range(len(x)):
        acts, read = [], x[row].reshape(LAYERS, D_IN)
        for i in range(LAYERS):
            pre = read[i] @ w["W_enc"][i] + w["b_enc"][i]
            acts.append(pre * (pre > w["threshold"][i]))
            lengths = w[f"W_dec_{i}"].pow(2).sum(dim=(1, 2)).sqrt()
            # Half of training is done.
            total = total + 0.5 * 0.05 * torch.tanh(4 * lengths * acts[i]).sum()
            total = total + 3e-6 * ((w["threshold"][i] - pre).relu() * lengths * dead.reshape(LAYERS, -1)[i]).sum()
        for target in range(LAYERS):
            rebuilt = w["b_dec"][target]
            for source in range(target + 1):
                rebuilt = rebuilt + acts[source] @ w[f"W_dec_{source}"][:, target - source]
            total = total + (y[row].reshape(LAYERS, D_OUT)[target] - rebuilt).pow(2).sum()
    return total / len(x)


def test_the_loss_is_the_formula_and_so_is_its_gradient_but_for_thresholds() -> None:
    random = torch.Generator().manual_seed(3)
    w = {
        name: (tensor + 0.05 * torch.randn(tensor.shape, generator=random)).requires_grad_()
        for name, tensor in OBJECTIVE.start(SIZES, random).items()
    }
    x, y = through(20, 1)
    dead = torch.rand(LAYERS * D_SAE, generator=random) < 0.3
    outcome = OBJECTIVE.loss(w, {}, x, y, Moment(share=0.5, sparsity=1.0, dead=dead))
    expected = slowly(w, x, y, dead)
    torch.testing.assert_close(outcome.loss, expected)
    names = [name for name in w if name != "threshold"]
    fast = torch.autograd.grad(outcome.loss, [w[name] for name in names])
    for name, found, wanted in zip(
        names, fast, torch.autograd.grad(expected, [w[name] for name in names]), strict=True
    ):
        torch.testing.assert_close(found, wanted, atol=5e-5, rtol=1e-4, msg=lambda m, name=name: f"{name}: {m}")


def test_all_layers_are_learnt_and_the_tensors_compute_what_was_learnt() -> None:
    plan = LearnerPlan(learning_rate=1e-2, schedule=Schedule(20, 0.7, sparsity_warm_up=50), clip=1e9)
    learner = Learner(OBJECTIVE, SIZES, plan)
    steps = 250
    for step in range(steps):
        learner.step(*through(256, step), step / steps)
    assert learner.told().unexplained < 0.1
    x, y = through(100, -1)
    assert learner.frames is not None
    inner, target = learner.frames[0].into(x), learner.frames[1].into(y)
    outcome = OBJECTIVE.loss(learner.weights, {}, inner, target, Moment(1.0, 1.0, None))
    expected = learner.frames[1].centre + learner.frames[1].scale * (target - outcome.error)
    tensors = learner.finished()
    config = CLTConfig(LAYERS, D_IN, D_SAE, D_OUT, "mlp_in", "mlp_out")
    decoders = HeldDecoders([tensors[f"W_dec_{i}"] for i in range(LAYERS)])
    clt = CrossLayerTranscoder("clt", config, tensors, decoders)
    rebuilt = clt.rebuild(x.reshape(-1, LAYERS, D_IN).transpose(0, 1)).transpose(0, 1).flatten(1)
    torch.testing.assert_close(rebuilt, expected, atol=2e-3, rtol=2e-3)
