"""Folders of cross-layer transcoders: Gemma Scope 2's against their rule written out, and what is refused of any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tests.sae.formats.making import D_IN, D_OUT, D_SAE, jump, random, write_json
from tests.sae.test_transcoders import N_LAYERS, clt_weights, write_clt
from undersong.errors import UndersongError, WeightsFormat, WeightsMissing
from undersong.hook_points import HookPoint
from undersong.sae.load import clt_format_of, load_clt, load_sae

STATED = {
    "width": N_LAYERS * D_SAE, "model_name": "google/gemma-3-270m-pt", "architecture": "jump_relu", "l0": 150,
    "affine_connection": True, "type": "clt",
    "hf_hook_point_in": "model.layers.{all}.pre_feedforward_layernorm.output",
    "hf_hook_point_out": "model.layers.{all}.post_feedforward_layernorm.output",
}  # fmt: skip


def gemma_scope_2(folder: Path, **stated: Any) -> tuple[Path, list[dict[str, Tensor]]]:
    """As published: each file's decoder has a slice for every layer, zeros below its own."""
    layers: list[dict[str, Tensor]] = []
    folder.mkdir(parents=True)
    for layer in range(N_LAYERS):
        decoder = random(D_SAE, N_LAYERS, D_OUT, seed=20 + layer)
        decoder[:, :layer] = 0
        layers.append({
            "w_enc": random(D_IN, D_SAE, seed=layer) * 0.3, "w_dec": decoder,
            "b_enc": random(D_SAE, seed=30 + layer), "b_dec": random(D_OUT, seed=40 + layer),
            "threshold": random(D_SAE, seed=50 + layer).abs(),
            "affine_skip_connection": random(D_IN, D_OUT, seed=60 + layer),
        })  # fmt: skip
        save_file(layers[-1], folder / f"params_layer_{layer}.safetensors")
    if stated:
        write_json(folder / "config.json", stated)
    return folder, layers


def by_hand(layers: list[dict[str, Tensor]], x: Tensor) -> Tensor:
    """The makers' JumpReLUMultiLayerSAE: every feature writes every layer."""
    acts = [jump(x[n] @ w["w_enc"] + w["b_enc"], w["threshold"]) for n, w in enumerate(layers)]
    return torch.stack([
        sum(f @ w["w_dec"][:, above] for f, w in zip(acts, layers, strict=True))
        + layers[above]["b_dec"]
        + x[above] @ layers[above]["affine_skip_connection"]
        for above in range(N_LAYERS)
    ])  # fmt: skip


STREAM = {
    **STATED, "type": "crosscoder", "hf_hook_point_in": "model.layers.{5,9,12}.output",
    "hf_hook_point_out": "model.layers.{5,9,12}.output",
}  # fmt: skip


@pytest.mark.parametrize(
    ("place", "stated", "reads", "writes", "l0"),
    [
        ("clt/width_262k_l0_big_affine", STATED, HookPoint(2, "mlp_in"), HookPoint(2, "mlp_out"), 150),
        ("clt/width_262k_l0_big_affine", {}, HookPoint(2, "mlp_in"), HookPoint(2, "mlp_out"), 120),
        ("crosscoder/layer_5_9_12_width_65k_l0_medium", {}, HookPoint(12), HookPoint(12), 45),
        ("downloads/mine", STREAM, HookPoint(12), HookPoint(12), 150),
    ],
)
def test_those_of_gemma_scope_2_follow_the_makers_rule(
    tmp_path: Path, place: str, stated: dict[str, Any], reads: HookPoint, writes: HookPoint, l0: float
) -> None:
    folder, layers = gemma_scope_2(tmp_path / "gemma-scope-2-270m-pt" / place, **stated)
    clt, x = load_clt(folder), random(N_LAYERS, 6, D_IN, seed=8)
    torch.testing.assert_close(clt.rebuild(x), by_hand(layers, x), atol=1e-4, rtol=1e-4)
    assert torch.equal(clt.directions(1, [9, 4]), layers[1]["w_dec"][[9, 4], 1:])
    assert (clt.config.point(2), clt.config.point_out(2), clt.config.published_l0) == (reads, writes, l0)
    assert clt.config.model_name == "google/gemma-3-270m"


def in_gemma(root: Path) -> Path:
    return gemma_scope_2(root / "clt/width_262k_l0_big_affine", **STATED)[0]


def in_circuit_tracer(root: Path) -> Path:
    return write_clt(root / "clt", *clt_weights(threshold=random(N_LAYERS, D_SAE, seed=4).abs()))


FOLDERS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "circuit-tracer": (in_circuit_tracer, "W_enc_1.safetensors"),
    "gemma scope 2": (in_gemma, "params_layer_1.safetensors"),
}


def spoilt(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], None]:
    def spoil(file: Path) -> None:
        held = load_file(file)
        change(held)
        save_file(held, file)

    return spoil


def of(held: dict[str, Tensor], *names: str) -> str:
    return next(name for name in held if name.startswith(names))


def nan(held: dict[str, Tensor]) -> None:
    held[of(held, "W_enc", "w_enc")][2, 3] = float("nan")


def narrow(held: dict[str, Tensor]) -> None:
    name = of(held, "b_enc")
    held[name] = held[name][1:].clone()


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:99]), WeightsFormat, "is damaged or cut short"),
        (lambda file: file.unlink(), UndersongError, "expected .*found"),
        (spoilt(lambda held: held.update(surprise=torch.ones(3))), WeightsFormat, "layer 1: .*found .*surprise"),
        (spoilt(lambda held: held.pop(of(held, "b_dec"))), WeightsFormat, "b_dec"),
        (spoilt(narrow), WeightsFormat, r"layer 1: expected .*b_enc': \(72,\).*found .*b_enc': \(71,\)"),
        (spoilt(nan), WeightsFormat, "W_enc: expected finite numbers, found NaN"),
        (spoilt(lambda held: held[of(held, "threshold")].fill_(-1)), WeightsFormat, "threshold: expected .*found -1.0"),
    ],
)
def test_a_spoilt_folder_is_refused(
    tmp_path: Path, name: str, spoil: Callable[[Path], object], error: type[UndersongError], message: str
) -> None:
    write, file = FOLDERS[name]
    folder = write(tmp_path)
    assert load_clt(folder).config.n_layers == N_LAYERS
    spoil(folder / file)
    with pytest.raises(error, match=message):
        load_clt(folder)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"architecture": "topk"}, "architecture: expected jump_relu, found 'topk'"),
        (
            {"hf_hook_point_in": "model.layers.3.output"},
            "a hook point with its blocks in braces, found 'model.layers.3",
        ),
        ({"hf_hook_point_in": "model.layers.{1,2}.output"}, "as many blocks read and written as there are files, 3"),
        ({"hf_hook_point_in": "model.layers.{all}.rotary"}, "expected a TransformerLens name"),
        ({"hf_hook_point_in": None}, "or a folder clt or crosscoder above; found neither"),
    ],
)
def test_what_gemma_scope_2_states_and_cannot_be_is_refused(
    tmp_path: Path, stated: dict[str, Any], message: str
) -> None:
    folder, _ = gemma_scope_2(tmp_path / "downloads", **{**STATED, **stated})
    assert json.loads((folder / "config.json").read_text())["type"] == "clt"
    with pytest.raises(WeightsFormat, match=message):
        load_clt(folder)


def test_none_is_taken_for_an_sae_of_one_place(tmp_path: Path) -> None:
    folder = in_gemma(tmp_path)
    found = clt_format_of(folder)
    assert found is not None and found.name.startswith("Gemma Scope 2")
    with pytest.raises(WeightsFormat, match=r"expected an SAE of one place; found a Gemma Scope 2 cross-layer"):
        load_sae(folder)
    with pytest.raises(WeightsMissing, match=r"expected W_enc_{i}.safetensors.*; params_layer_{i}.safetensors"):
        load_clt(tmp_path)
