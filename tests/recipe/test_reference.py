"""Reference statistics against a plain and slow way to get the same numbers, and what they are made of."""

from __future__ import annotations

import codes
import numpy as np
import pytest
import torch
from codes import Codes, token_codes
from evidence import Texts, token_passages
from reference import EARLY, Paragraph, paragraphs, token_statistics

from tests.support.tiny_models import write_sae
from undersong.engine.presence import LEVELS, PSEUDO_TOKENS
from undersong.sae.load import load_sae

WIDTH, N, LENGTH = 12, 5, 30


@pytest.fixture(scope="module")
def dense():
    """[N, LENGTH, WIDTH]: about a third of the features active, at a token or two nearly all."""
    generator = np.random.default_rng(0)
    found = generator.random((N, LENGTH, WIDTH)) * (generator.random((N, LENGTH, WIDTH)) < 0.3)
    found[1, 4] = generator.random(WIDTH)
    return found.astype(np.float16)


@pytest.fixture(scope="module")
def sparse(dense):
    order = np.argsort(-dense, axis=-1, kind="stable")
    return Codes(np.take_along_axis(dense, order, -1), order.astype(np.uint16), WIDTH)


def test_statistics_of_a_token_sae(dense, sparse):
    found = [Paragraph(0, 0, 9), Paragraph(1, 3, 30), Paragraph(4, 10, 20)]
    own = token_statistics(sparse, found)
    wide = dense.astype(np.float64)
    active = wide > 0
    presence = [wide[p.window, p.start : p.stop].sum(0) / (p.stop - p.start + PSEUDO_TOKENS) for p in found]
    expected = {
        "frequency": active.mean((0, 1)),
        "mean": wide.sum((0, 1)) / active.sum((0, 1)),
        "max": wide.max((0, 1)),
        "presence_quantiles": np.quantile(presence, LEVELS, axis=0).T,
        "position_bias": wide[:, :EARLY].sum((0, 1)) / wide.sum((0, 1)) * LENGTH / EARLY,
    }
    assert set(own) == set(expected)
    for name, tensor in own.items():
        np.testing.assert_allclose(tensor.numpy(), expected[name], rtol=1e-4, atol=1e-6)


def test_a_paragraph_lies_whole_in_its_window_and_is_long_enough():
    row = [0, *[5] * 9, 1, *[5] * 3, 1, *[5] * 12, 1, *[5] * 12]
    assert paragraphs(np.array([row]), newline=1) == [Paragraph(0, 0, 9), Paragraph(0, 14, 26)]


def test_codes_keep_every_activation_or_are_refused(tmp_path, monkeypatch):
    folder = write_sae(tmp_path, architecture="jumprelu")
    residual = np.random.default_rng(0).normal(size=(3, 7, 32)).astype(np.float16)
    expected = load_sae(folder).encode(torch.from_numpy(residual).float()).float().numpy()
    found = token_codes(folder, residual)
    kept = np.zeros_like(expected)
    np.put_along_axis(kept, found.indices.astype(np.int64), found.values.astype(np.float32), -1)
    np.testing.assert_allclose(kept, expected, rtol=1e-3)
    most = int((expected > 0).sum(-1).max())
    monkeypatch.setattr(codes, "SLOTS", most - 1)
    with pytest.raises(ValueError, match=f"expected at most {most - 1} active features at a token, found {most}"):
        token_codes(folder, residual)


def test_the_passages_shown_are_the_strongest_tokens_of_different_windows(dense, sparse):
    ids = np.arange(N * (LENGTH + 1)).reshape(N, LENGTH + 1)
    texts = Texts(ids, np.arange(N), [f"book {n}" for n in range(N)], [f" {i}" for i in range(ids.size)])
    for feature, found in enumerate(token_passages(texts, sparse)):
        best = dense[..., feature].max(1)
        assert sorted(passage.activation for passage in found) == [round(float(v), 2) for v in sorted(best[best > 0])]
        for passage in found:
            window = int(passage.source.removeprefix("book "))
            assert passage.token == f" {ids[window, dense[window, :, feature].argmax() + 1]}"
