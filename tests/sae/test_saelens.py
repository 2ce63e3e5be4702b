"""SAELens folders, as version 6 and earlier ones write them; refusals say what was expected and found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.support.tiny_models import sae_tensors, write_sae
from undersong.errors import UndersongError, WeightsFormat, WeightsMissing
from undersong.sae.base import check_fits
from undersong.sae.formats import FORMATS, Format
from undersong.sae.load import load_sae, read_config


def write_flat(folder: Path, **stated: Any) -> Path:
    """A folder as SAELens wrote it before version 6, with some of the training keys it left in."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(sae_tensors(stated.get("architecture", "standard"), 32, 64), folder / "sae_weights.safetensors")
    config = {"d_in": 32, "d_sae": 64, "hook_layer": 2, "l1_coefficient": 0.001, "dataset_path": "x", **stated}
    (folder / "cfg.json").write_text(json.dumps(config), "utf-8")
    return folder


def test_version_6_is_read(tmp_path: Path) -> None:
    sae = load_sae(write_sae(tmp_path, layer=2, k=5))
    assert (sae.id, sae.hook_layer, sae.hook_name, sae.grain) == ("2", 2, "blocks.2.hook_resid_post", "token")
    assert (sae.d_in, sae.d_sae, sae.config.k, sae.dtype) == (32, 64, 5, torch.float32)
    assert (sae.config.model_name, sae.config.prepend_bos, sae.config.context_size) == ("tiny", True, None)
    assert torch.equal(sae.W_dec, load_file(tmp_path / "sae_weights.safetensors")["W_dec"])
    assert sae.nbytes == 4 * (2 * 32 * 64 + 64 + 32)


def test_the_configuration_is_read_without_the_tensors(tmp_path: Path) -> None:
    write_sae(tmp_path, layer=2)
    (tmp_path / "sae_weights.safetensors").unlink()
    assert read_config(tmp_path).hook_layer == 2


def test_a_passage_dictionary_is_marked_by_our_own_key(tmp_path: Path) -> None:
    sae = load_sae(write_sae(tmp_path, layer=3, grain="passage"))
    assert (sae.grain, sae.id) == ("passage", "p3")
    assert load_sae(tmp_path, id="themes").id == "themes"


def test_weights_are_read_in_the_precision_asked_for(tmp_path: Path) -> None:
    write_sae(tmp_path)
    held = load_file(tmp_path / "sae_weights.safetensors")
    save_file({name: tensor.to(torch.bfloat16) for name, tensor in held.items()}, tmp_path / "sae_weights.safetensors")
    assert load_sae(tmp_path).dtype == torch.float32
    half = load_sae(tmp_path, dtype=torch.bfloat16)
    assert half.dtype == torch.bfloat16
    assert half.encode(torch.randn(3, 32)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("hook_name", "layer"),
    [("blocks.2.hook_resid_post", 2), ("blocks.11.hook_resid_pre", 10), ("blocks.1.hook_resid_pre", 0)],
)
def test_what_enters_a_block_left_the_one_before(tmp_path: Path, hook_name: str, layer: int) -> None:
    assert load_sae(write_sae(tmp_path, metadata={"hook_name": hook_name})).hook_layer == layer


def test_a_flat_configuration_is_read_with_its_defaults(tmp_path: Path) -> None:
    config = load_sae(write_flat(tmp_path, hook_point="blocks.2.hook_resid_pre", model_name="gpt2-small")).config
    assert (config.architecture, config.hook_layer, config.model_name) == ("standard", 1, "gpt2-small")
    assert (config.apply_b_dec_to_input, config.prepend_bos, config.grain) == (True, True, "token")


def test_a_flat_configuration_names_topk_by_its_activation(tmp_path: Path) -> None:
    stated = {"hook_name": "blocks.2.hook_resid_post", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 7}}
    config = load_sae(write_flat(tmp_path, **stated, normalize_activations=False)).config
    assert (config.architecture, config.k, config.hook_layer) == ("topk", 7, 2)


def test_a_flat_jumprelu_is_read(tmp_path: Path) -> None:
    write_flat(tmp_path, architecture="jumprelu", hook_name="blocks.2.hook_resid_post", prepend_bos=False)
    assert load_sae(tmp_path).config.prepend_bos is False


def test_an_unused_scaling_factor_is_dropped_and_a_used_one_refused(tmp_path: Path) -> None:
    write_flat(tmp_path, hook_name="blocks.2.hook_resid_post")
    held = load_file(tmp_path / "sae_weights.safetensors")
    save_file({**held, "scaling_factor": torch.ones(64)}, tmp_path / "sae_weights.safetensors")
    assert load_sae(tmp_path).d_sae == 64
    save_file({**held, "scaling_factor": torch.full((64,), 2.0)}, tmp_path / "sae_weights.safetensors")
    with pytest.raises(WeightsFormat, match="expected scaling_factor to be all ones"):
        load_sae(tmp_path)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"activation_fn_str": "tanh-relu"}, "activation_fn_str: expected relu or topk, found 'tanh-relu'"),
        ({"activation_fn_str": "topk"}, "k: expected a whole number from 1 to 64, found None"),
        ({"normalize_activations": True}, "normalize_activations: expected none, found 'expected_average_only_in'"),
        ({"hook_name": "blocks.2.attn.hook_z"}, "reshape_activations: expected none, found 'hook_z'"),
        ({"hook_point_head_index": 3}, "hook_head_index: expected null, found 3"),
        ({"d_in": None}, "d_in: expected a whole number above 0, found None"),
        (
            {"model_from_pretrained_kwargs": {"center_writing_weights": True}},
            "center_writing_weights: expected false, found True",
        ),
    ],
)
def test_a_flat_configuration_that_cannot_be_met_is_refused(
    tmp_path: Path, stated: dict[str, Any], message: str
) -> None:
    with pytest.raises(WeightsFormat, match=message):
        load_sae(write_flat(tmp_path, **{"hook_name": "blocks.2.hook_resid_post", **stated}))


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"architecture": "transcoder"}, "expected one of standard, topk, jumprelu, gated, found 'transcoder'"),
        ({"d_sae": -4}, "d_sae: expected a whole number above 0, found -4"),
        ({"d_in": "32"}, "d_in: expected a whole number above 0, found '32'"),
        ({"d_in": True}, "d_in: expected a whole number above 0, found True"),
        ({"k": 65}, "k: expected a whole number from 1 to 64, found 65"),
        ({"k": 2.5}, "k: expected a whole number from 1 to 64, found 2.5"),
        ({"normalize_activations": "layer_norm"}, "normalize_activations: expected none, found 'layer_norm'"),
        ({"reshape_activations": "hook_z"}, "reshape_activations: expected none, found 'hook_z'"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input: expected true or false, found 'yes'"),
        ({"temperature": 3}, "keys: expected none beside .*, found 'temperature'"),
        ({"metadata": {"hook_name": "blocks.2.hook_mlp_out"}}, r"\.hook_resid_post .*found 'blocks.2.hook_mlp_out'"),
        ({"metadata": {"hook_name": "blocks.0.hook_resid_pre"}}, "found 'blocks.0.hook_resid_pre'"),
        ({"metadata": {}}, "hook_name: expected .*found None"),
        (
            {"metadata": {"hook_name": "blocks.2.hook_resid_post", "undersong": {"grain": "word"}}},
            "undersong.grain: expected token or passage, found 'word'",
        ),
    ],
)  # fmt: skip
def test_a_configuration_that_cannot_be_met_is_refused(tmp_path: Path, stated: dict[str, Any], message: str) -> None:
    with pytest.raises(WeightsFormat, match=message):
        read_config(changed(write_sae(tmp_path), stated))


def changed(folder: Path, stated: dict[str, Any]) -> Path:
    file = folder / "cfg.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **stated}), "utf-8")
    return folder


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        held = load_file(folder / "sae_weights.safetensors")
        change(held)
        save_file(held, folder / "sae_weights.safetensors")

    return spoil


def cut(folder: Path) -> None:
    file = folder / "sae_weights.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def nan(held: dict[str, torch.Tensor]) -> None:
    held["W_enc"][3, 4] = float("nan")


def whole_numbers(held: dict[str, torch.Tensor]) -> None:
    held["b_enc"] = torch.ones(64, dtype=torch.long)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda folder: (folder / "cfg.json").unlink(), WeightsMissing, "expected cfg.json in .*, found none"),
        (lambda folder: (folder / "cfg.json").write_text("{"), WeightsFormat, "cfg.json is not valid JSON"),
        (lambda folder: (folder / "cfg.json").write_bytes(b"\xff\xfe{"), WeightsFormat, "cfg.json is not valid JSON"),
        (lambda folder: (folder / "cfg.json").write_text("[]"), WeightsFormat, "JSON object in .*, found list"),
        (lambda folder: (folder / "sae_weights.safetensors").unlink(), WeightsMissing, "expected sae_weights"),
        (cut, WeightsFormat, r"sae_weights.safetensors is damaged or cut short: .* \(\d+ bytes\)"),
        (tensors(lambda held: held.pop("b_enc")), WeightsFormat, "W_dec, W_enc, b_dec, b_enc; .*; missing b_enc"),
        (tensors(lambda held: held.update(extra=torch.ones(1))), WeightsFormat, "; unknown extra"),
        (
            tensors(lambda held: held.update(W_enc=held["W_enc"].T.contiguous())),
            WeightsFormat,
            r"W_enc: expected shape \(32, 64\), found \(64, 32\)",
        ),
        (tensors(nan), WeightsFormat, "W_enc: expected finite numbers, found NaN or infinity"),
        (tensors(whole_numbers), WeightsFormat, "b_enc: expected floating-point"),
    ],
)  # fmt: skip
def test_a_spoilt_folder_is_refused_by_name(
    tmp_path: Path, spoil: Callable[[Path], None], error: type[UndersongError], message: str
) -> None:
    spoil(write_sae(tmp_path))
    with pytest.raises(error, match=message):
        load_sae(tmp_path)


def test_a_folder_that_is_not_there_or_holds_nothing_known_is_missing(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match="there is no folder"):
        load_sae(tmp_path / "nope")
    with pytest.raises(
        WeightsMissing, match=r"expected cfg.json and sae_weights.safetensors \(SAELens\) in .*, found neither"
    ):
        load_sae(tmp_path)


def test_an_sae_of_another_model_is_refused(tmp_path: Path) -> None:
    sae = load_sae(write_sae(tmp_path, layer=3))
    check_fits(sae, 32, 4)
    with pytest.raises(WeightsFormat, match="SAE 3: expected d_in 64, the model's width; found 32"):
        check_fits(sae, 64, 4)
    with pytest.raises(
        WeightsFormat, match=r"SAE 3: expected a layer from 0 to 2; found 3 \(blocks.3.hook_resid_post\)"
    ):
        check_fits(sae, 32, 3)


@pytest.mark.parametrize("entry", FORMATS, ids=lambda entry: entry.name)
def test_every_format_of_the_table_keeps_its_contract(tmp_path: Path, entry: Format) -> None:
    folder = write_sae(tmp_path / "sae")
    assert entry.matches(folder) and not entry.matches(tmp_path)
    config = entry.read_config(folder)
    weights = entry.read_weights(folder, config)
    assert weights["W_dec"].shape == (config.d_sae, config.d_in)
