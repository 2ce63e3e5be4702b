"""SAELens folders, as version 6 and earlier ones write them; refusals say what was expected and found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.sae.formats import libraries, making
from tests.support.tiny_models import sae_tensors, write_sae
from undersong.errors import UndersongError, WeightsFormat, WeightsMissing
from undersong.hook_points import HookPoint
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
    [
        ("blocks.2.hook_resid_post", 2),
        ("blocks.11.hook_resid_pre", 10),
        ("blocks.1.hook_resid_pre", 0),
        ("blocks.3.hook_mlp_out", 3),
    ],
)
def test_what_enters_a_block_left_the_one_before(tmp_path: Path, hook_name: str, layer: int) -> None:
    assert load_sae(write_sae(tmp_path, metadata={"hook_name": hook_name})).hook_layer == layer


@pytest.mark.parametrize(
    ("stated", "site"),
    [
        ({}, "mlp_in_raw"),
        ({"hf_hook_name": "model.layers.2.pre_feedforward_layernorm.input"}, "mlp_in_raw"),
        ({"hf_hook_name": "model.layers.2.pre_feedforward_layernorm.output"}, "mlp_in"),
    ],
)
def test_what_saelens_calls_an_mlps_input_is_told_by_transformers_name(
    tmp_path: Path, stated: dict[str, str], site: str
) -> None:
    config = read_config(write_sae(tmp_path, metadata={"hook_name": "blocks.2.hook_mlp_in", **stated}))
    assert config.point == HookPoint(2, site)  # pyright: ignore[reportArgumentType]
    assert any(each.what == "input" for each in config.assumptions) == bool(stated)


def test_what_the_file_does_not_say_is_listed(tmp_path: Path) -> None:
    assumed = {each.what: each.value for each in read_config(write_flat(tmp_path, hook_point="layers.1")).assumptions}
    assert assumed == {"b_dec": "subtracted before encoding", "BOS": "prepended"}
    gpt2 = read_config(write_flat(tmp_path, hook_point="layers.1", model_name="gpt2-small"))
    stream = next(each for each in gpt2.assumptions if each.what == "stream")
    assert stream.value == "not centred" and "gpt2-small-res-jb" in stream.why


@pytest.mark.parametrize("subtracts", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk"])
def test_an_sae_of_a_centred_stream_reads_the_whole_one(tmp_path: Path, architecture: str, subtracts: bool) -> None:
    plain = write_sae(tmp_path / "plain", architecture=architecture, apply_b_dec_to_input=subtracts)
    stated = json.loads((plain / "cfg.json").read_text())
    metadata = {**stated["metadata"], "model_from_pretrained_kwargs": {"center_writing_weights": True}}
    centred = write_sae(
        tmp_path / "centred", architecture=architecture, apply_b_dec_to_input=subtracts, metadata=metadata
    )
    resid = torch.randn(20, 32, generator=torch.Generator().manual_seed(0)) + 2
    expected = load_sae(plain).encode(resid - resid.mean(dim=-1, keepdim=True))
    assert (expected > 0).any(dim=1).all()
    torch.testing.assert_close(load_sae(centred).encode(resid), expected, atol=1e-5, rtol=1e-5)


def test_a_checkpoint_from_before_decoder_norms_were_multiplied_in_is_read_without(tmp_path: Path) -> None:
    """SAELens writes the key since it has it, and takes true where it lacks."""
    folder = libraries.saelens_training_batchtopk(tmp_path).path
    stated = json.loads((folder / "cfg.json").read_text())
    assert not any(each.what == "decoder norms" for each in read_config(folder).assumptions)
    expected = {}
    for rescales in (False, None):
        stated.pop("rescale_acts_by_decoder_norm", None)
        said = {} if rescales is None else {"rescale_acts_by_decoder_norm": rescales}
        (folder / "cfg.json").write_text(json.dumps({**stated, **said}))
        expected[rescales] = load_sae(folder).encode(making.inputs())
    assert torch.equal(expected[None], expected[False])
    assert any(each.what == "decoder norms" for each in read_config(folder).assumptions)


def test_a_checkpoint_of_a_centred_stream_reads_the_whole_one(tmp_path: Path) -> None:
    folder = libraries.saelens_training_batchtopk(tmp_path).path
    x = making.inputs()
    expected = load_sae(folder).encode(x - x.mean(dim=-1, keepdim=True))
    stated = json.loads((folder / "cfg.json").read_text())
    stated["metadata"]["model_from_pretrained_kwargs"] = {"center_writing_weights": True}
    (folder / "cfg.json").write_text(json.dumps(stated))
    assert (expected > 0).any()
    torch.testing.assert_close(load_sae(folder).encode(x), expected, atol=1e-5, rtol=1e-5)


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
    with pytest.raises(WeightsFormat, match=r"expected scaling_factor to be all ones"):
        load_sae(tmp_path)


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"activation_fn_str": "tanh-relu"}, "activation_fn_str: expected relu or topk, found 'tanh-relu'"),
        ({"activation_fn_str": "topk"}, "k: expected a whole number from 1 to 64, found None"),
        ({"normalize_activations": True}, "as the folder has no factor, found 'expected_average_only_in'"),
        ({"hook_point": "blocks.2.hook_scale", "hook_name": "blocks.2.hook_scale"}, "found 'blocks.2.hook_scale'"),
        ({"hook_point_head_index": 3}, "hook_head_index: expected null, found 3"),
        ({"d_in": None}, "d_in: expected a whole number above 0, found None"),
        (
            {"model_from_pretrained_kwargs": {"center_writing_weights": True}, "architecture": "gated"},
            "center_writing_weights: expected false, except for standard, topk, jumprelu, found True",
        ),
        (
            {"model_from_pretrained_kwargs": {"fold_ln": True}, "hook_name": "blocks.2.mlp.hook_in"},
            "fold_ln: expected false at blocks.2.mlp.hook_in, found True",
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
        ({"architecture": "temporal"}, "expected one of standard, topk, jumprelu, gated, .*, found 'temporal'"),
        ({"architecture": "transcoder"}, "d_out: expected a whole number above 0, found None"),
        (
            {"architecture": "transcoder", "d_out": 32},
            "apply_b_dec_to_input: expected false, as b_dec lies in what is rebuilt, found True",
        ),
        ({"d_sae": -4}, "d_sae: expected a whole number above 0, found -4"),
        ({"d_in": "32"}, "d_in: expected a whole number above 0, found '32'"),
        ({"d_in": True}, "d_in: expected a whole number above 0, found True"),
        ({"k": 65}, "k: expected a whole number from 1 to 64, found 65"),
        ({"k": 2.5}, "k: expected a whole number from 1 to 64, found 2.5"),
        ({"normalize_activations": "covariance_whitening"}, "has no factor, found 'covariance_whitening'"),
        ({"reshape_activations": "hook_z"}, "reshape_activations: expected none, .*found 'hook_z'"),
        ({"apply_b_dec_to_input": "yes"}, "apply_b_dec_to_input: expected true or false, found 'yes'"),
        ({"temperature": 3}, "keys: expected none beside .*, found 'temperature'"),
        ({"metadata": {"hook_name": "blocks.2.hook_pattern"}}, "hook_name: .*found 'blocks.2.hook_pattern'"),
        ({"metadata": {}}, "hook_name: .*expected .*found 'None'"),
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
    with pytest.raises(WeightsMissing, match=r"there is no folder"):
        load_sae(tmp_path / "nope")
    with pytest.raises(
        WeightsMissing, match=r"cfg.json and sae_weights.safetensors \(SAELens\); .* in .*, found nothing"
    ):
        load_sae(tmp_path)
