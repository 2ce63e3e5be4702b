"""Each architecture against its rule written out token by token, from the file's own tensors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.tiny_models import D_MODEL, sae_tensors, write_sae
from undersong.sae import base
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE
from undersong.sae.load import load_sae

N = 40
D_SAE = 64
K = 8

# Every architecture, and the flags that change its numbers.
VARIANTS: dict[str, dict[str, Any]] = {
    "standard": {"architecture": "standard"},
    "standard, b_dec left in": {"architecture": "standard", "apply_b_dec_to_input": False},
    "topk": {"architecture": "topk"},
    "topk, rescaled": {"architecture": "topk", "rescale_acts_by_decoder_norm": True},
    "topk, b_dec left in": {"architecture": "topk", "apply_b_dec_to_input": False},
    "jumprelu": {"architecture": "jumprelu"},
    "gated": {"architecture": "gated"},
}


def resid(*shape: int, seed: int = 5) -> Tensor:
    return torch.randn(*shape, D_MODEL, generator=torch.Generator().manual_seed(seed))


def tensors_of(variant: dict[str, Any]) -> dict[str, Tensor]:
    held = sae_tensors(variant["architecture"], D_MODEL, D_SAE)
    if variant.get("rescale_acts_by_decoder_norm"):
        held["W_dec"] = held["W_dec"] * torch.linspace(0.3, 3.0, D_SAE)[:, None]
    return held


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> dict[str, Any]:
    return VARIANTS[request.param]


@pytest.fixture
def sae(variant: dict[str, Any], tmp_path: Path) -> SAE:
    from safetensors.torch import save_file

    folder = write_sae(tmp_path / "sae", d_sae=D_SAE, k=K, **variant)
    save_file(tensors_of(variant), folder / "sae_weights.safetensors")
    return load_sae(folder)


def by_hand(variant: dict[str, Any], rows: Tensor) -> tuple[Tensor, Tensor]:
    """(activations, reconstruction) of rows [n, d_in], feature by feature, as SAELens defines them."""
    w = tensors_of(variant)
    norms = w["W_dec"].norm(dim=1)
    rescale = variant.get("rescale_acts_by_decoder_norm", False)
    acts, outs = [], []
    for row in rows:
        x = row - w["b_dec"] if variant.get("apply_b_dec_to_input", True) else row
        match variant["architecture"]:
            case "standard":
                f = (x @ w["W_enc"] + w["b_enc"]).clamp_min(0)
            case "topk":
                pre = x @ w["W_enc"] + w["b_enc"]
                pre = pre * norms if rescale else pre
                kept = sorted(range(D_SAE), key=lambda i: -pre[i].item())[:K]
                f = torch.stack([pre[i].clamp_min(0) if i in kept else torch.tensor(0.0) for i in range(D_SAE)])
            case "jumprelu":
                pre = x @ w["W_enc"] + w["b_enc"]
                f = torch.where(pre > w["threshold"], pre.clamp_min(0), torch.zeros(()))
            case _:
                on = x @ w["W_enc"] + w["b_gate"] > 0
                f = (x @ (w["W_enc"] * w["r_mag"].exp()) + w["b_mag"]).clamp_min(0) * on
        acts.append(f)
        outs.append((f / norms if rescale else f) @ w["W_dec"] + w["b_dec"])
    return torch.stack(acts), torch.stack(outs)


def test_encoding_follows_the_rule(sae: SAE, variant: dict[str, Any]) -> None:
    expected, _ = by_hand(variant, resid(N))
    found = sae.encode(resid(N))
    assert (expected > 0).any(dim=1).all()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(found > 0, expected > 0)


def test_decoding_follows_the_rule(sae: SAE, variant: dict[str, Any]) -> None:
    _, expected = by_hand(variant, resid(N))
    torch.testing.assert_close(sae.decode(sae.encode(resid(N))), expected, atol=1e-5, rtol=1e-5)


def test_a_unit_of_activation_adds_the_features_direction(sae: SAE) -> None:
    acts = torch.zeros(1, D_SAE)
    acts[0, 7] = 1.0
    torch.testing.assert_close(
        sae.decode(acts) - sae.decode(torch.zeros(1, D_SAE)), sae.directions([7]), atol=1e-6, rtol=0.0
    )


def test_columns_are_the_columns_of_the_whole_encoding(sae: SAE) -> None:
    indices = [3, 60, 3, 0, 41]
    whole = sae.encode(resid(N))[:, indices]
    assert (whole > 0).any()
    for found in (
        sae.encode_columns(resid(N), indices),
        sae.reader(indices)(resid(N)),
        sae.reader(torch.tensor(indices))(resid(N)),
    ):
        # A product of fewer columns may round its sums in another order.
        torch.testing.assert_close(found, whole, atol=1e-6, rtol=1e-6)
        assert torch.equal(found > 0, whole > 0)


def test_leading_dimensions_are_kept(sae: SAE) -> None:
    batch = resid(2, 3)
    assert sae.encode(batch).shape == (2, 3, D_SAE)
    assert sae.encode(batch[0, 0]).shape == (D_SAE,)
    assert sae.encode(resid(0)).shape == (0, D_SAE)
    assert sae.encode_columns(batch, [1, 2]).shape == (2, 3, 2)
    assert sae.reader([1])(batch[0, 0]).shape == (1,)
    torch.testing.assert_close(sae.encode(batch)[1, 2], sae.encode(batch[1, 2]), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(sae.reader([5])(batch)[1, 2], sae.encode(batch)[1, 2, [5]], atol=1e-6, rtol=1e-6)


def test_long_texts_are_encoded_in_pieces(sae: SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sae.encode(resid(N))
    pieces = list(sae.encode_chunks(resid(N), rows=17))
    assert [rows for rows, _ in pieces] == [range(0, 17), range(17, 34), range(34, 40)]
    torch.testing.assert_close(torch.cat([acts for _, acts in pieces]), whole, atol=1e-6, rtol=1e-6)
    monkeypatch.setattr(base, "_CHUNK", 10 * D_SAE)
    assert [len(rows) for rows, _ in sae.encode_chunks(resid(N))] == [10] * 4
    torch.testing.assert_close(sae.encode(resid(N)), whole, atol=1e-6, rtol=1e-6)


def test_inputs_of_other_precision_are_read(sae: SAE) -> None:
    half = resid(N).to(torch.bfloat16)
    assert torch.equal(sae.encode(half), sae.encode(half.to(torch.float32)))
    assert sae.encode(half).dtype == torch.float32


def test_encoding_leaves_its_input_and_weights_alone(sae: SAE) -> None:
    rows = resid(N)
    first = sae.encode(rows)
    sae.encode_columns(rows, [1, 2])
    assert torch.equal(rows, resid(N))
    assert torch.equal(sae.encode(rows), first)


def test_jumprelu_lets_through_only_what_is_strictly_above_its_threshold() -> None:
    weights = {"W_enc": torch.eye(2), "W_dec": torch.eye(2), "b_enc": torch.zeros(2), "b_dec": torch.zeros(2)}
    config = base.SAEConfig("jumprelu", 2, 2, "blocks.0.hook_resid_post", 0)
    sae = ARCHITECTURES["jumprelu"]("0", config, {**weights, "threshold": torch.tensor([1.0, -1.0])})
    rows = torch.tensor([[1.0, -0.5], [1.5, 0.5]])
    assert sae.encode(rows).tolist() == [[0.0, 0.0], [1.5, 0.5]]
    assert sae.encode_columns(rows, [0]).tolist() == [[0.0], [1.5]]


def test_topk_may_fire_fewer_than_k() -> None:
    weights = {"W_enc": torch.eye(3), "W_dec": torch.eye(3), "b_enc": torch.zeros(3), "b_dec": torch.zeros(3)}
    config = base.SAEConfig("topk", 3, 3, "blocks.0.hook_resid_post", 0, k=2)
    sae = ARCHITECTURES["topk"]("0", config, weights)
    rows = torch.tensor([[3.0, -1.0, -2.0], [3.0, 1.0, 2.0]])
    assert sae.encode(rows).tolist() == [[3.0, 0.0, 0.0], [3.0, 0.0, 2.0]]
    assert sae.encode_columns(rows, [1, 2]).tolist() == [[0.0, 0.0], [0.0, 2.0]]


def test_a_passage_is_the_mean_of_its_tokens(sae: SAE) -> None:
    rows = resid(6)
    pooled = sae.pool(rows.sum(dim=0), len(rows))
    torch.testing.assert_close(pooled, rows.mean(dim=0)[None])
    assert sae.encode(pooled).shape == (1, D_SAE)
    with pytest.raises(ValueError, match="at least one token"):
        sae.pool(rows[0], 0)


def test_a_short_passage_is_drawn_towards_an_ordinary_one_where_the_file_says_so(sae: SAE) -> None:
    tensors = sae_tensors(sae.config.architecture, sae.d_in, D_SAE)
    drawn = type(sae)(sae.id, replace(sae.config, prior_tokens=8), tensors)
    rows = resid(2)
    expected = (rows.sum(dim=0) + 8 * drawn.b_dec) / 10
    torch.testing.assert_close(drawn.pool(rows.sum(dim=0), 2), expected[None])
