"""Transcoders and cross-layer transcoders, against their rules written out; decoding by gather."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from tests.sae.formats.making import D_IN, D_OUT, D_SAE, K, inputs, random, relu, top
from undersong.errors import WeightsFormat, WeightsMissing
from undersong.hook_points import HookPoint
from undersong.sae.active import nonzero
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.architectures.cross_layer_transcoder import CLTConfig, CrossLayerTranscoder, HeldDecoders
from undersong.sae.base import SAE, SAEConfig
from undersong.sae.load import load_clt, load_sae

ACROSS = [name for name in ARCHITECTURES if "transcoder" in name]
N_LAYERS = 3


def made(architecture: str) -> tuple[SAE, dict[str, Tensor]]:
    config = SAEConfig(
        architecture, D_IN, D_SAE, "blocks.1.mlp.hook_in", 1, apply_b_dec_to_input=False, k=K, d_out=D_OUT,
        hook_out="blocks.1.hook_mlp_out",
    )  # fmt: skip
    shapes = ARCHITECTURES[architecture].shapes
    held = {
        name: random(*(config.sizes[size] for size in shape), seed=seed) * 0.3
        for seed, (name, shape) in enumerate(shapes.items())
    }
    return ARCHITECTURES[architecture]("1", config, held), held


def activation(architecture: str, pre: Tensor, held: dict[str, Tensor]) -> Tensor:
    if architecture.startswith("jumprelu"):
        return torch.where(pre > held["threshold"], relu(pre), torch.zeros(()))
    if architecture.startswith("topk"):
        return top(pre)
    if architecture.startswith("groupmax"):
        groups = relu(pre).reshape(len(pre), K, D_SAE // K)
        return torch.where(groups == groups.amax(2, keepdim=True), groups, torch.zeros(())).reshape(pre.shape)
    return relu(pre)


@pytest.mark.parametrize("architecture", ACROSS)
def test_a_transcoder_reads_one_place_and_rebuilds_another(architecture: str) -> None:
    sae, held = made(architecture)
    x = inputs()
    expected = activation(architecture, x @ held["W_enc"] + held["b_enc"], held)
    rebuilt = expected @ held["W_dec"] + held["b_dec"]
    if "skip" in architecture:
        rebuilt = rebuilt + x @ held["W_skip"].T
    torch.testing.assert_close(sae.encode(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sae.rebuild(x), rebuilt, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(sae.encode_columns(x, [7, 0, 7]), expected[:, [7, 0, 7]], atol=1e-5, rtol=1e-5)
    assert sae.directions([3]).shape == (1, D_OUT) and sae.rebuild(x[0]).shape == (D_OUT,)


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "crosscoder"])
@pytest.mark.parametrize("shape", [(40,), (5, 8), ()])
def test_decoding_by_gather_is_decoding_by_the_whole_product(architecture: str, shape: tuple[int, ...]) -> None:
    sae, _ = made(architecture) if architecture in ACROSS else plain(architecture)
    acts = sae.encode(inputs().reshape(*shape, D_IN) if shape else inputs()[0])
    code = nonzero(acts.reshape(-1, D_SAE))
    assert len(code) == int((acts > 0).sum())
    expected = sae.decode(acts).reshape(-1, sae.d_out)
    torch.testing.assert_close(sae.decode_sparse(code), expected, atol=1e-5, rtol=1e-5)


def plain(architecture: str) -> tuple[SAE, dict[str, Tensor]]:
    config = SAEConfig(architecture, D_IN, D_SAE, "blocks.1.hook_resid_post", 1, k=K)
    held = {
        name: random(*(config.sizes[size] for size in shape), seed=seed) * 0.3
        for seed, (name, shape) in enumerate(ARCHITECTURES[architecture].shapes.items())
    }
    return ARCHITECTURES[architecture]("1", config, held), held


def test_nothing_active_decodes_to_the_bias() -> None:
    sae, held = made("transcoder")
    torch.testing.assert_close(sae.decode_sparse(nonzero(torch.zeros(4, D_SAE))), held["b_dec"].expand(4, -1))


def test_edited_activations_are_rebuilt_on_the_tokens_own_scale() -> None:
    config = SAEConfig("standard", D_IN, D_SAE, "blocks.1.hook_resid_post", 1, normalization="layer_norm")
    sae = ARCHITECTURES["standard"]("1", config, plain("standard")[1])
    x, edited = inputs(), sae.encode(inputs()).clone()
    edited[:, 4] += 1
    difference = sae.rebuild(x, edited) - sae.rebuild(x)
    torch.testing.assert_close(difference, sae.unit(x) * sae.directions([4]), atol=1e-4, rtol=1e-4)


def clt_weights(**also: Tensor) -> tuple[dict[str, Tensor], list[Tensor]]:
    held = {
        "W_enc": random(N_LAYERS, D_IN, D_SAE, seed=1) * 0.3, "b_enc": random(N_LAYERS, D_SAE, seed=2) * 0.3,
        "b_dec": random(N_LAYERS, D_OUT, seed=3), **also,
    }  # fmt: skip
    return held, [random(D_SAE, N_LAYERS - layer, D_OUT, seed=10 + layer) for layer in range(N_LAYERS)]


def by_hand(held: dict[str, Tensor], decoders: list[Tensor], x: Tensor) -> Tensor:
    """What each layer rebuilds, feature by feature."""
    rebuilt = held["b_dec"][:, None].repeat(1, x.shape[1], 1)
    for layer in range(N_LAYERS):
        pre = x[layer] @ held["W_enc"][layer] + held["b_enc"][layer]
        acts = (
            torch.where(pre > held["threshold"][layer], relu(pre), torch.zeros(()))
            if "threshold" in held
            else relu(pre)
        )
        for above in range(layer, N_LAYERS):
            for feature in range(D_SAE):
                rebuilt[above] += acts[:, feature, None] * decoders[layer][feature, above - layer]
    return rebuilt + (x @ held["W_skip"] if "W_skip" in held else 0)


VARIANTS: dict[str, dict[str, Tensor]] = {
    "relu": {},
    "jumprelu": {"threshold": random(N_LAYERS, D_SAE, seed=4).abs()},
    "skip": {"W_skip": random(N_LAYERS, D_IN, D_OUT, seed=5)},
}


def write_clt(folder: Path, held: dict[str, Tensor], decoders: list[Tensor], yaml: str = "") -> Path:
    """As circuit-tracer's to_safetensors does."""
    folder.mkdir(exist_ok=True)
    for layer in range(N_LAYERS):
        names = {name: tensor[layer].T if name == "W_enc" else tensor[layer] for name, tensor in held.items()}
        whole = {f"{name}_{layer}": tensor.contiguous() for name, tensor in names.items()}
        save_file(whole, folder / f"W_enc_{layer}.safetensors")
        save_file({f"W_dec_{layer}": decoders[layer]}, folder / f"W_dec_{layer}.safetensors")
    (folder / "config.yaml").write_text(yaml or "model_name: google/gemma-2-2b\nmodel_kind: cross_layer_transcoder\n")
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_cross_layer_transcoder_writes_its_layer_and_those_above(tmp_path: Path, variant: str) -> None:
    held, decoders = clt_weights(**VARIANTS[variant])
    x = random(N_LAYERS, 6, D_IN, seed=8)
    expected = by_hand(held, decoders, x)
    config = CLTConfig(N_LAYERS, D_IN, D_SAE, D_OUT, "resid_mid", "mlp_out")
    from_file = load_clt(write_clt(tmp_path / "clt", held, decoders))
    for clt in (CrossLayerTranscoder("clt", config, held, HeldDecoders(decoders)), from_file):
        torch.testing.assert_close(clt.rebuild(x), expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(clt.encode_columns(1, x[1], [5, 2]), clt.encode(1, x[1])[:, [5, 2]])
        assert torch.equal(clt.directions(1, [9, 4, 9]), decoders[1][[9, 4, 9]])
    assert from_file.config.point(2) == HookPoint(2, "resid_mid")
    assert from_file.config.model_name == "google/gemma-2-2b"


def test_directions_of_a_cross_layer_transcoder_come_in_its_precision(tmp_path: Path) -> None:
    clt = load_clt(write_clt(tmp_path / "clt", *clt_weights()), dtype=torch.bfloat16)
    assert clt.directions(1, [3]).dtype == clt.encode(1, random(2, D_IN)).dtype == torch.bfloat16


def test_a_cross_layer_transcoder_with_nothing_active_rebuilds_its_biases() -> None:
    held, decoders = clt_weights(threshold=torch.full((N_LAYERS, D_SAE), 1e9))
    config = CLTConfig(N_LAYERS, D_IN, D_SAE, D_OUT, "resid_mid", "mlp_out")
    clt = CrossLayerTranscoder("clt", config, held, HeldDecoders(decoders))
    expected = held["b_dec"][:, None].expand(-1, 2, -1)
    assert torch.equal(clt.rebuild(torch.ones(N_LAYERS, 2, D_IN)), expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "W_dec_1.safetensors").unlink(), "expected W_dec_1.safetensors"),
        (
            lambda folder: save_file({"W_dec_1": torch.ones(D_SAE, 3, D_OUT)}, folder / "W_dec_1.safetensors"),
            r"layer 1: expected .*'W_dec': \(72, 2, 20\)",
        ),
        (
            lambda folder: (folder / "config.yaml").write_text("model_kind: transcoder_set\n"),
            "model_kind: expected cross_layer_transcoder, found 'transcoder_set'",
        ),
    ],
)
def test_a_spoilt_cross_layer_transcoder_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    folder = write_clt(tmp_path / "clt", *clt_weights())
    change(folder)
    with pytest.raises((WeightsFormat, WeightsMissing), match=message):
        load_clt(folder)


def test_a_cross_layer_transcoder_is_not_taken_for_an_sae(tmp_path: Path) -> None:
    with pytest.raises(WeightsFormat, match=r"found a circuit-tracer cross-layer transcoder"):
        load_sae(write_clt(tmp_path / "clt", *clt_weights()))
    with pytest.raises(WeightsMissing, match=r"expected W_enc_{i}.safetensors"):
        load_clt(tmp_path)
