"""SAEs are trained: what is selected, that they learn, that the folded file computes what was trained."""

from __future__ import annotations

import learner as learner_module
import pytest
import torch
import torch.nn.functional as F
from learner import SELECTIONS, Learner, Plan, batch_top_k, threshold, top_k
from sae_files import write_sae

from undersong.sae.load import load_sae

D, TRUE, ACTIVE = 16, 24, 3


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    """400 steps have to do."""
    monkeypatch.setattr(learner_module, "RATE", 1e-2)


def sparse_mixtures(n: int, seed: int = 0) -> torch.Tensor:
    """Sums of three of twenty-four directions, off centre and on another scale, as residuals are."""
    generator = torch.Generator().manual_seed(seed)
    directions = F.normalize(torch.randn(TRUE, D, generator=torch.Generator().manual_seed(9)), dim=1)
    codes = torch.zeros(n, TRUE)
    chosen = torch.rand(n, TRUE, generator=generator).topk(ACTIVE).indices
    codes.scatter_(1, chosen, 1 + torch.rand(n, ACTIVE, generator=generator))
    return 7 * (codes @ directions) + 3


def trained(selection: str, steps: int = 400, seed: int = 1) -> Learner:
    learner = Learner(Plan(48, ACTIVE, selection, dead_after=5_000), sparse_mixtures(512, 99), seed)
    for step in range(steps):
        learner.step(sparse_mixtures(512, step), step / steps)
    return learner


@pytest.mark.parametrize(
    ("rows", "k", "expected"),
    [
        ([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]], 1, [[3.0, 0, 0], [0, 6.0, 0]]),
        ([[-3.0, -1.0, 2.0]], 2, [[0, 0, 2.0]]),
    ],
)
def test_top_k_keeps_each_rows_largest_and_nothing_negative(rows, k, expected):
    torch.testing.assert_close(top_k(torch.tensor(rows), k), torch.tensor(expected))


@pytest.mark.parametrize(
    ("rows", "k", "expected"),
    [
        ([[3.0, 1.0, 2.0], [5.0, 6.0, 4.0]], 1, [[0, 0, 0], [5.0, 6.0, 0]]),
        ([[-3.0, -1.0], [-1.0, 2.0]], 1, [[0, 0], [0, 2.0]]),
    ],
)
def test_batch_top_k_keeps_the_largest_of_all_rows_and_nothing_negative(rows, k, expected):
    torch.testing.assert_close(batch_top_k(torch.tensor(rows), k), torch.tensor(expected))


@pytest.mark.parametrize("selection", list(SELECTIONS))
def test_sparse_mixtures_are_explained(selection):
    assert trained(selection).step(sparse_mixtures(4096, 12345), 1.0) < 0.1


def test_dead_features_come_back_where_there_is_an_error_to_explain():
    learner = Learner(Plan(48, ACTIVE, "topk", dead_after=5_000), sparse_mixtures(512, 99), 1)
    with torch.no_grad():
        learner.b_enc[8:] = -1
    for step in range(600):
        learner.step(sparse_mixtures(512, step), step / 600)
    assert int(learner.dead.sum()) < 24


@pytest.mark.parametrize("selection", list(SELECTIONS))
def test_the_written_file_computes_what_was_trained(selection, tmp_path):
    learner, x = trained(selection, 100), sparse_mixtures(2000, 5)
    tensors = learner.folded()
    if selection == "batchtopk":
        tensors["threshold"] = torch.full((48,), threshold(tensors, x, ACTIVE))
    write_sae(tmp_path, tensors, 3, ACTIVE, {}, {})
    sae = load_sae(tmp_path)
    scaled = (x - learner.centre) / learner.scale
    expected = SELECTIONS[selection](scaled @ learner.W_enc + learner.b_enc, ACTIVE).detach() * learner.scale
    found = sae.encode(x).float()
    # Matrices are stored in bfloat16, so a few choices among equals differ.
    agree = (found - expected).abs() < 0.05 * expected.max()
    assert agree.float().mean() > 0.99
    rebuilt = expected @ learner.W_dec.detach() + learner.centre + learner.scale * learner.b_dec.detach()
    assert (sae.decode(found).float() - rebuilt).norm() < 0.06 * rebuilt.norm()
    torch.testing.assert_close(sae.W_dec.float().norm(dim=1), torch.ones(48), atol=4e-3, rtol=0)


def test_the_threshold_lets_through_k_a_row_on_average():
    x = sparse_mixtures(4000, 7)
    sae = trained("batchtopk", 100).folded()
    least = threshold(sae, x, ACTIVE)
    active = ((x - sae["b_dec"]) @ sae["W_enc"] + sae["b_enc"] > least).float().sum(1)
    assert abs(float(active.mean()) - ACTIVE) < 0.01


def test_an_interrupted_training_goes_on_as_if_it_had_not_been():
    once, cut = trained("topk", 20), trained("topk", 10)
    again = Learner(cut.plan, sparse_mixtures(512, 99), 1)
    again.restore(cut.state())
    # `trained` scales its shares to its own length: the second half is fed by hand, at the first's full rate.
    for step in range(10, 20):
        again.step(sparse_mixtures(512, step), step / 20)
    reference = Learner(cut.plan, sparse_mixtures(512, 99), 1)
    for step in range(10):
        reference.step(sparse_mixtures(512, step), step / 10)
    for step in range(10, 20):
        reference.step(sparse_mixtures(512, step), step / 20)
    for name, tensor in reference.folded().items():
        torch.testing.assert_close(again.folded()[name], tensor)
    assert once.steps == again.steps
