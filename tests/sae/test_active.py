"""The active features found directly, against the dense encoding; and what is held at once meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.support.tiny_models import write_sae
from undersong.packed import can_pack
from undersong.sae import active, base
from undersong.sae.active import Active, above, joined, nonzero, top
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAE
from undersong.sae.config import SAEConfig
from undersong.sae.load import load_sae

D_IN, D_SAE, K = 24, 128, 8
KINDS = ["normal", "with ties", "all zero", "none above zero", "mixed"]


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def made(architecture: str, dtype: torch.dtype = torch.float32, **also: Any) -> SAE:
    """Of random weights, W_enc and W_dec in `dtype`."""
    if architecture == "crosscoder":
        also["extras"] = {"undersong": {"sites": [{"hook_name": "blocks.1.hook_resid_post", "width": D_IN}]}}
    config = SAEConfig(architecture, D_IN, D_SAE, "blocks.1.hook_resid_post", 1, k=K, **also)
    held = {
        name: random(*(config.sizes[size] for size in shape), seed=seed) * 0.5
        for seed, (name, shape) in enumerate(ARCHITECTURES[architecture].shapes.items())
    }
    narrow = {name: held[name].to(dtype) for name in ("W_enc", "W_dec")}
    return ARCHITECTURES[architecture]("1", config, {**held, **narrow})


def pre_activations(kind: str, n: int, width: int) -> Tensor:
    pre = random(n, width, seed=3)
    match kind:
        case "with ties":
            return (2 * pre).round()
        case "all zero":
            return torch.zeros(n, width)
        case "none above zero":
            return -pre.abs()
        case "mixed":
            pre[:1], pre[1:2], pre[2:3] = 0.0, -1.0, 1.0
    return pre


def slow_top(pre: Tensor, k: int) -> Tensor:
    """[n, d_sae]: rows sorted whole; of equal ones the first."""
    order = pre.sort(dim=1, descending=True, stable=True)
    return torch.zeros_like(pre).scatter_(1, order.indices[:, :k], order.values[:, :k].relu())


@pytest.mark.parametrize("few", [1, 1 << 20])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("n", "width", "k"), [(5, 64, 8), (7, 512, 1), (9, 1024, 12), (0, 64, 3), (4, 64, 64), (6, 99, 7)]
)
def test_the_largest_are_those_that_sorting_finds(
    n: int, width: int, k: int, kind: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(active, "_FEW", few)
    pre = pre_activations(kind, n, width)
    found = top(pre, k)
    assert torch.equal(found.dense(), slow_top(pre, k))
    in_order(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [64, 99])
def test_what_is_above_a_bar_is_found_in_order(kind: str, width: int) -> None:
    pre, bars = pre_activations(kind, 6, width), random(width, seed=4).abs()
    for bar in (0.0, 1.0, bars):
        found = above(pre, bar)
        assert torch.equal(found.dense(), torch.where(pre > bar, pre, 0.0))
        in_order(found)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_numbers_that_numpy_does_not_know_are_found_by_torch(dtype: torch.dtype) -> None:
    pre = pre_activations("normal", 6, 64).to(dtype)
    # Without ties: bfloat16 rounds some of random numbers onto each other.
    pre = (torch.arange(pre.numel()).reshape(pre.shape) * 37 % 256 - 100).to(dtype)
    assert torch.equal(top(pre, 5).dense(), slow_top(pre, 5))
    assert torch.equal(above(pre, 3.0).dense(), torch.where(pre > 3, pre, 0))


def in_order(found: Active) -> None:
    places = found.picks.rows * found.picks.d_sae + found.picks.features
    assert (places.diff() > 0).all() and (found.values > 0).all()


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_active_features_are_those_of_the_dense_encoding(architecture: str, stored: torch.dtype) -> None:
    sae = made(architecture, stored)
    x = torch.cat([random(20, D_IN, seed=9), torch.zeros(2, D_IN)])
    found, dense = sae.encode_sparse(x), sae.encode(x)
    assert torch.equal(found.dense(), dense) and (dense > 0).any()
    in_order(found)
    expected = nonzero(dense)
    assert torch.equal(found.picks.features, expected.picks.features) and torch.equal(found.values, expected.values)
    assert torch.equal(sae.encode_sparse(x.reshape(2, 11, D_IN)).values, found.values)
    assert len(sae.encode_sparse(x[:0])) == 0


@pytest.mark.parametrize("architecture", ["topk", "jumprelu", "gated", "groupmax"])
def test_a_long_text_is_encoded_with_few_rows_held_at_once(architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sae, x = made(architecture), random(50, D_IN, seed=9)
    whole = sae.encode_sparse(x).dense()
    held: list[int] = []
    encoder = sae.encoder
    monkeypatch.setattr(sae, "encoder", lambda rows: held.append(len(rows) * D_SAE) or encoder(rows))
    monkeypatch.setattr(base, "_SPARSE_CHUNK", 7 * D_SAE)
    monkeypatch.setattr(base, "_FEWEST_ROWS", 1)
    torch.testing.assert_close(sae.encode_sparse(x).dense(), whole, atol=1e-6, rtol=1e-6)
    assert len(held) == 8 and max(held) == 7 * D_SAE


def test_pieces_of_a_code_are_joined_in_order() -> None:
    acts = pre_activations("with ties", 9, 64).relu()
    pieces = joined([nonzero(acts[start : start + 4]) for start in (0, 4, 8)])
    assert torch.equal(pieces.dense(), acts)
    in_order(pieces)


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_activations_times_rows_read_only_the_rows_of_active_features(stored: torch.dtype) -> None:
    acts, rows = pre_activations("mixed", 9, 64).relu(), random(64, 5, seed=8).to(stored)
    rows[acts.sum(dim=0) == 0] = torch.nan
    expected = acts @ rows.float().nan_to_num()
    torch.testing.assert_close(nonzero(acts).times(rows), expected, atol=1e-5, rtol=1e-5)
    assert torch.equal(nonzero(torch.zeros(3, 64)).times(rows), torch.zeros(3, 5))


@pytest.mark.skipif(not can_pack(), reason="FBGEMM multiplies packed weights on x86 only")
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_matrices_kept_as_they_are_stored_compute_what_wide_ones_do(architecture: str, stored: torch.dtype) -> None:
    kept = made(architecture, stored)
    held = {"W_enc": kept.W_enc, "W_dec": kept.W_dec}
    wide = made(architecture)
    also = {name: getattr(wide, name) for name in ARCHITECTURES[architecture].shapes if name not in ("r_mag", *held)}
    if architecture == "gated":
        also["r_mag"] = wide.gain.log()  # pyright: ignore[reportAttributeAccessIssue]
    wide = ARCHITECTURES[architecture]("1", kept.config, {**also, **held})
    x = random(20, D_IN, seed=9)
    assert kept.encoder.is_packed and not wide.encoder.is_packed
    assert kept.dtype == kept.encode(x).dtype == kept.directions([3]).dtype == torch.float32
    torch.testing.assert_close(kept.encode(x), wide.encode(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept.rebuild(x), wide.rebuild(x), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept.encode_columns(x, [5, 0, 5]), wide.encode(x)[:, [5, 0, 5]], atol=1e-5, rtol=1e-5)
    assert torch.equal(kept.directions([7, 1]), wide.directions([7, 1]))
    # Stored and packed encoder and stored decoder, two bytes a number, instead of two matrices of four bytes.
    assert wide.nbytes - kept.nbytes == 2 * D_IN * D_SAE


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_gradients_pass_through_columns(architecture: str, stored: torch.dtype) -> None:
    sae, x = made(architecture, stored), random(6, D_IN, seed=9).requires_grad_()
    features = sae.encode(x.detach()).sum(dim=0).topk(3).indices
    read = sae.reader(features)(x)
    read.sum().backward()
    assert x.grad is not None and (x.grad != 0).any()
    moved = x.detach() - 1e-3 * x.grad
    expected = read.detach().sum() - 1e-3 * x.grad.square().sum()
    assert float(sae.reader(features)(moved).sum()) == pytest.approx(float(expected), rel=1e-2)


def test_weights_that_float16_does_not_hold_are_widened() -> None:
    sae = made("standard", torch.bfloat16)
    weights = {"W_enc": sae.W_enc.bfloat16() * 1e6, "W_dec": sae.W_dec, "b_enc": sae.b_enc, "b_dec": sae.b_dec}  # pyright: ignore[reportAttributeAccessIssue]
    large = ARCHITECTURES["standard"]("1", sae.config, weights)
    assert not large.encoder.is_packed
    x = random(4, D_IN, seed=9)
    expected = (x - weights["b_dec"]) @ weights["W_enc"].float() + weights["b_enc"]
    torch.testing.assert_close(large.encode(x), expected.relu())
    assert torch.equal(large.encode_sparse(x).dense(), large.encode(x))


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux says what is mapped from which file")
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32])
def test_decoder_rows_stay_in_their_file_until_they_are_needed(tmp_path: Path, stored: torch.dtype) -> None:
    path = write_sae(tmp_path) / "sae_weights.safetensors"
    save_file({name: tensor.to(stored) for name, tensor in load_file(path).items()}, path)
    sae = load_sae(tmp_path)
    assert str(path) in mapped_at(sae._decoder.data_ptr())
    assert str(path) not in mapped_at(sae._decoder.clone().data_ptr())


def mapped_at(address: int) -> str:
    """What is mapped there, as the system says."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        first, last = (int(end, 16) for end in line.split()[0].split("-"))
        if first <= address < last:
            return line
    return ""
