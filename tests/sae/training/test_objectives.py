"""Each objective against its loss written out slowly, its gradient included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sae.training.mixtures import D
from undersong.sae import sparse
from undersong.sae.annealing import Annealing
from undersong.sae.architectures import OBJECTIVES
from undersong.sae.learning import Moment, Objective, Sizes
from undersong.sae.reviving import revival
from undersong.sae.sparse import top_of_batch

N, D_SAE, K = 40, 24, 4

OBJECTIVES_TRIED: dict[str, Objective] = {
    "standard": OBJECTIVES["standard"](sparsity=0.3),
    "topk": OBJECTIVES["topk"](k=K),
    "batchtopk": OBJECTIVES["batchtopk"](k=K),
    "matryoshka": OBJECTIVES["matryoshka"](k=K, shares=(0.25, 0.5)),
    "jumprelu": OBJECTIVES["jumprelu"](l0=4.0, sparsity=0.1, bandwidth=0.5, first_threshold=0.3),
    "gated": OBJECTIVES["gated"](sparsity=0.3),
    "crosscoder": OBJECTIVES["crosscoder"](sparsity=0.3, parts=(6, D - 6)),
}


def sizes_of(name: str) -> Sizes:
    parts = (6, D - 6) if name == "crosscoder" else (D,)
    return Sizes(parts, D_SAE, parts)


def weights_of(name: str) -> dict[str, Tensor]:
    """Weights some way into training: nothing is zero, nothing equal."""
    random = torch.Generator().manual_seed(3)
    start = OBJECTIVES_TRIED[name].start(sizes_of(name), random)
    return {
        key: (tensor + 0.1 * torch.randn(tensor.shape, generator=random)).requires_grad_()
        for key, tensor in start.items()
    }


def x_of(seed: int = 7) -> Tensor:
    return torch.randn(N, D, generator=torch.Generator().manual_seed(seed))


def kept_of_batch(pre: Tensor) -> Tensor:
    least = pre.flatten().sort(descending=True).values[N * K - 1]
    return pre.relu() * (pre >= least)


def slowly(name: str, w: dict[str, Tensor], x: Tensor) -> Tensor:
    """The published loss as it is written, by dense products and autograd; JumpReLU's steps aside."""
    pre = (x - w["b_dec"]) @ w["W_enc"] + w.get("b_enc", 0.0)
    if name == "crosscoder":
        acts = (x @ w["W_enc"] + w["b_enc"]).relu()
        lengths = torch.stack([(row[:6] ** 2).sum().sqrt() + (row[6:] ** 2).sum().sqrt() for row in w["W_dec"]])
        return error_of(w, x, acts) + 0.3 * (acts * lengths).sum(dim=1).mean()
    match name:
        case "standard":
            acts = pre.relu()
            return error_of(w, x, acts) + 0.3 * (acts * w["W_dec"].norm(dim=1)).sum(dim=1).mean()
        case "topk":
            least = pre.sort(dim=1, descending=True).values[:, K - 1 : K]
            return error_of(w, x, pre.relu() * (pre >= least))
        case "batchtopk":
            return error_of(w, x, kept_of_batch(pre))
        case "matryoshka":
            acts = kept_of_batch(pre)
            return sum(error_of(w, x, acts * (torch.arange(D_SAE) < end)) for end in (6, 12, 24)) / 3  # pyright: ignore[reportReturnType]
        case _:
            gate = pre + w["b_gate"]
            magnitude = (x - w["b_dec"]) @ (w["W_enc"] * w["r_mag"].exp()) + w["b_mag"]
            acts = (gate > 0) * magnitude.relu()
            frozen = {key: tensor.detach() for key, tensor in w.items()}
            paid = (gate.relu() * w["W_dec"].norm(dim=1)).sum(dim=1).mean()
            return error_of(w, x, acts) + 0.3 * paid + error_of(frozen, x, gate.relu())


def error_of(w: dict[str, Tensor], x: Tensor, acts: Tensor) -> Tensor:
    return (x - acts @ w["W_dec"] - w["b_dec"]).pow(2).sum(dim=1).mean()


def moment(**fields: Any) -> Moment:
    return replace(Moment(share=0.1, sparsity=1.0, dead=None), **fields)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES_TRIED if name != "jumprelu"])
def test_the_loss_and_its_gradient_are_those_of_the_formula(name: str) -> None:
    w, objective = weights_of(name), OBJECTIVES_TRIED[name]
    outcome = objective.loss(w, objective.buffers(sizes_of(name)), x_of(), x_of(), moment())
    fast = torch.autograd.grad(outcome.loss, list(w.values()))
    expected = slowly(name, w, x_of())
    torch.testing.assert_close(outcome.loss, expected)
    for key, found_, wanted in zip(w, fast, torch.autograd.grad(expected, list(w.values())), strict=True):
        torch.testing.assert_close(found_, wanted, atol=2e-5, rtol=1e-4, msg=lambda m, key=key: f"{key}: {m}")


@pytest.mark.parametrize("name", ["topk", "batchtopk", "matryoshka"])
def test_dense_products_give_what_gathering_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    w, objective = weights_of(name), OBJECTIVES_TRIED[name]
    dead = torch.arange(D_SAE) % 5 == 0
    found: list[tuple[Tensor, ...]] = []
    for dense in (False, True):
        monkeypatch.setattr(sparse, "_by_products", lambda _, dense=dense: dense)
        outcome = objective.loss(w, objective.buffers(sizes_of(name)), x_of(), x_of(), moment(dead=dead))
        found.append((outcome.loss, *torch.autograd.grad(outcome.loss, list(w.values()))))
    for gathered, multiplied in zip(*found, strict=True):
        torch.testing.assert_close(gathered, multiplied, atol=2e-5, rtol=1e-4)


def test_a_jumprelu_learns_by_the_straight_through_rule() -> None:
    w, objective = weights_of("jumprelu"), OBJECTIVES_TRIED["jumprelu"]
    x, width, target_l0, sparsity = x_of(), 0.5, 4.0, 0.1
    outcome = objective.loss(w, {}, x, x, moment())
    found_ = dict(zip(w, torch.autograd.grad(outcome.loss, list(w.values())), strict=True))
    pre = ((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]).detach()
    threshold = w["threshold"].detach()
    on = (pre > threshold).float()
    l0 = on.sum(dim=1)
    plain = error_of(w, x, ((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * on)
    torch.testing.assert_close(outcome.loss, plain + sparsity * (2 / target_l0 * (l0 - target_l0) ** 2).mean())
    others = [key for key in w if key != "threshold"]
    for key, wanted in zip(others, torch.autograd.grad(plain, [w[key] for key in others]), strict=True):
        torch.testing.assert_close(found_[key], wanted, atol=2e-5, rtol=1e-4)
    error = (x - (pre * on) @ w["W_dec"] - w["b_dec"]).detach()
    by_threshold = torch.zeros(D_SAE)
    for row in range(N):
        of_acts = -2 / N * w["W_dec"].detach() @ error[row]
        of_l0 = sparsity * 4 / target_l0 * (l0[row] - target_l0) / N
        for j in range(D_SAE):
            if abs(pre[row, j] - threshold[j]) < width / 2:
                by_threshold[j] -= (threshold[j] * of_acts[j] + of_l0) / width
    assert (by_threshold != 0).sum() > 10
    torch.testing.assert_close(found_["threshold"], by_threshold, atol=2e-5, rtol=1e-4)


def test_the_largest_of_a_batch_are_exactly_those() -> None:
    random = torch.Generator().manual_seed(0)
    for skew in (0.0, 5.0):
        # With skew some rows hold many more than k of the largest: the bound from the rows must still be below them.
        pre = torch.randn(50, 60, generator=random) + skew * torch.rand(50, 1, generator=random)
        picks = top_of_batch(pre, 5)
        expected = pre.flatten().topk(50 * 5).indices.sort().values
        assert torch.equal(picks.rows * 60 + picks.features, expected)


def test_fewer_than_k_are_kept_where_fewer_are_above_0() -> None:
    pre = -torch.ones(4, 6)
    pre[2, 3] = 1.0
    picks = top_of_batch(pre, 2)
    assert (picks.rows.tolist(), picks.features.tolist()) == ([2], [3])


def test_dead_features_are_shown_the_error() -> None:
    w = weights_of("topk")
    x, dead = x_of(), torch.zeros(D_SAE, dtype=torch.bool)
    dead[[3, 5, 11]] = True
    bias = w["b_enc"] - w["b_dec"] @ w["W_enc"]
    pre = x @ w["W_enc"] + bias
    error = x_of(8).requires_grad_()
    loss = revival(w, x, pre, bias, error, dead)
    # k is half the width, more than there are dead ones: all of them, and less weight.
    wanted = 3 / (D // 2) * (error.detach() - pre[:, dead] @ w["W_dec"][dead]).pow(2).sum(dim=1).mean()
    torch.testing.assert_close(loss, wanted)
    names = ["W_enc", "W_dec", "b_enc", "b_dec"]
    fast = torch.autograd.grad(loss, [w[name] for name in names], retain_graph=True)
    for found_, expected in zip(fast, torch.autograd.grad(wanted, [w[name] for name in names]), strict=True):
        torch.testing.assert_close(found_, expected, atol=2e-5, rtol=1e-4)
    assert revival(w, x, pre, bias, error, None) == 0
    assert revival(w, x, pre, bias, error, torch.zeros_like(dead)) == 0


def test_annealing_goes_down_in_steps_that_leave_the_penalty_as_it_was() -> None:
    annealing = Annealing(end=0.2, begin=0.0, until=1.0, levels=4)
    buffers = annealing.buffers()
    acts = torch.rand(30, 8, generator=torch.Generator().manual_seed(0))
    penalties, powers = [], []
    for step in range(41):
        penalty, buffers = annealing.penalty(acts, torch.ones(8), buffers, step / 40)
        penalties.append(float(penalty))
        powers.append(1 - 0.8 * float(buffers["anneal_level"]) / 4)
    assert penalties[0] == pytest.approx(float(acts.sum(dim=1).mean()), rel=1e-4)
    assert sorted(set(powers), reverse=True) == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
    assert powers[-1] == pytest.approx(0.2)
    # The batch is always the same one, so the factor is exact.
    assert penalties == pytest.approx([penalties[0]] * 41, rel=1e-5)


def test_annealing_has_a_finite_gradient_where_features_are_off() -> None:
    w = weights_of("standard")
    objective = OBJECTIVES["standard"](sparsity=0.3, anneal=Annealing(begin=0.0, levels=1))
    buffers = objective.buffers(sizes_of("standard"))
    for share in (0.0, 1.0, 1.0):
        outcome = objective.loss(w, buffers, x_of(), x_of(), moment(share=share))
        buffers = outcome.buffers
    for gradient in torch.autograd.grad(outcome.loss, list(w.values())):
        assert gradient.isfinite().all()
