"""The model that is trained is the Llama that transformers loads, its loss is cross-entropy, Muon is orthogonal."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from language_model import CHUNK, ChunkedCrossEntropy, LanguageModel, Shape, export, load
from muon import Muon, orthogonalised
from transformers import AutoModelForCausalLM

TINY = Shape(vocab_size=40, d_model=16, n_layers=3, n_heads=2, d_mlp=24, context=32)


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(1)
    export(LanguageModel(TINY), tmp_path, {"tokens": 5})
    return tmp_path


def test_transformers_computes_the_same_logits_and_residuals(exported):
    ids = torch.randint(0, 40, (2, 32), generator=torch.Generator().manual_seed(0))
    ours = load(exported)
    theirs = AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = theirs(ids, output_hidden_states=True)
        torch.testing.assert_close(F.linear(ours(ids), ours.embedding), expected.logits, atol=1e-5, rtol=1e-4)
        # hidden_states: the embedding, then what leaves each block; the last one is normed.
        for found, state in zip(ours.residuals(ids)[:-1], expected.hidden_states[1:-1], strict=True):
            torch.testing.assert_close(found, state, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_pass_may_be_finished_from_any_layer(exported, start):
    model = load(exported)
    ids = torch.arange(12)[None]
    entering = F.embedding(ids, model.embedding) if start == 0 else model.residuals(ids)[start - 1]
    torch.testing.assert_close(model.finish(entering, start), model(ids))


def test_what_was_trained_is_told_beside_the_weights(exported):
    assert json.loads((exported / "training.json").read_text())["tokens"] == 5


@pytest.mark.parametrize("n", [1, CHUNK, CHUNK + 3])
def test_the_chunked_loss_and_its_gradients_are_those_of_cross_entropy(n):
    generator = torch.Generator().manual_seed(n)
    x, embedding = torch.randn(n, 8, generator=generator), torch.randn(20, 8, generator=generator)
    targets = torch.randint(0, 20, (n,), generator=generator)
    slow = [t.clone().requires_grad_() for t in (x, embedding)]
    fast = [t.clone().requires_grad_() for t in (x, embedding)]
    expected = F.cross_entropy(slow[0] @ slow[1].t(), targets)
    found = ChunkedCrossEntropy.apply(*fast, targets)
    torch.testing.assert_close(found, expected)
    (3 * expected).backward()
    (3 * found).backward()
    for one, other in zip(slow, fast, strict=True):
        torch.testing.assert_close(other.grad, one.grad, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("shape", [(4, 24, 24), (2, 16, 48), (3, 48, 16)])
def test_orthogonalised_matrices_have_singular_values_near_one_and_the_same_singular_vectors(shape):
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=torch.Generator().manual_seed(0)), full_matrices=False)
    found = orthogonalised(u * torch.linspace(0.1, 1, u.shape[-1]) @ v)
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6 and values.max() < 1.25
    turned = u.mT @ found @ v.mT
    off = turned - torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-3


def test_a_stack_is_updated_as_its_matrices_would_be_alone():
    torch.manual_seed(0)
    stack = torch.nn.Parameter(torch.randn(2, 3, 6, 8))
    apart = [torch.nn.Parameter(m.clone()) for m in stack.detach().flatten(0, 1)]
    together, single = Muon([stack], 0.1), Muon(apart, 0.1)
    for _ in range(2):
        grad = torch.randn(2, 3, 6, 8)
        stack.grad = grad
        for one, g in zip(apart, grad.flatten(0, 1), strict=True):
            one.grad = g.clone()
        together.step()
        single.step()
    torch.testing.assert_close(stack.detach().flatten(0, 1), torch.stack([p.detach() for p in apart]))
