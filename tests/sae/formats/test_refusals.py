"""What no format takes: damaged files, unknown or missing tensors and keys, numbers that are none, wrong shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.sae.formats import libraries, making, releases
from tests.sae.formats.making import Sample
from tests.sae.formats.samples import SAMPLES
from undersong.errors import WeightsFormat, WeightsMissing
from undersong.sae.formats import files
from undersong.sae.load import load_sae, read_config

HYPER, NORM = "hyperparams.json", "dataset_average_activation_norm.blocks.15.hook_resid_post"


def weights_of(sample: Sample) -> Path:
    """The file with the numbers."""
    kinds = (".safetensors", ".npz", ".pt", ".pth")
    folder = sample.path if sample.path.is_dir() else sample.path.parent
    return next(
        file for file in sorted(folder.rglob("*")) if file.suffix in kinds and "whitening" not in file.name
    )  # fmt: skip


def rewrite(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    held: dict[str, Any] = files.unpickle(file, "cpu") if file.suffix.startswith(".p") else files.read_all(file)
    change(held)
    if file.suffix.startswith(".p"):
        torch.save(held, file)
    else:
        making.write(file, held)


def test_a_file_that_was_cut_short_is_refused(sample: Sample) -> None:
    file = weights_of(sample)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(WeightsFormat, match=r"is damaged or cut short"):
        load_sae(sample.path)


def test_a_tensor_that_nobody_knows_is_refused(sample: Sample) -> None:
    rewrite(weights_of(sample), lambda held: held.update(surprise=torch.ones(3)))
    with pytest.raises(WeightsFormat, match=r"unknown surprise"):
        load_sae(sample.path)


def test_numbers_that_are_none_are_refused(sample: Sample) -> None:
    def spoil(held: dict[str, Any]) -> None:
        name = next(name for name in held if name in ("W_dec", "w_dec", "decoder.weight", "decoder_linear.weight"))
        held[name] = held[name].clone()
        held[name][2, 3] = float("nan")

    rewrite(weights_of(sample), spoil)
    with pytest.raises(WeightsFormat, match=r"W_dec: expected finite numbers, found NaN"):
        load_sae(sample.path)


def test_a_matrix_the_wrong_way_round_is_refused(sample: Sample) -> None:
    def turn(held: dict[str, Any]) -> None:
        name = next(name for name in held if name in ("W_dec", "w_dec", "decoder.weight", "decoder_linear.weight"))
        held[name] = held[name].T.contiguous()

    rewrite(weights_of(sample), turn)
    with pytest.raises(WeightsFormat, match=r"W_dec: expected shape \(.*\), found"):
        load_sae(sample.path)


def test_whole_numbers_are_refused_before_anything_is_computed_with_them(sample: Sample) -> None:
    def round(held: dict[str, Any]) -> None:
        name = next(name for name in held if name in ("W_dec", "w_dec", "decoder.weight", "decoder_linear.weight"))
        held[name] = held[name].long()

    rewrite(weights_of(sample), round)
    with pytest.raises(WeightsFormat, match=r"expected floating-point numbers, found torch.int64"):
        load_sae(sample.path)


# Samples with thresholds among their tensors -> what those are called.
THRESHOLDS = {
    "saelens, constant norm": "threshold", "saelens, skip transcoder": "threshold",
    "saelens training, batchtopk": "topk_threshold",
    "gemma scope": "threshold", "gemma scope, embedding": "threshold", "gemma scope, transcoder": "threshold",
    "gemma scope 2": "threshold", "gemma scope 2, transcoder": "threshold",
    "gemma scope 2, plain transcoder": "threshold",
    "BatchTopKSAE": "threshold", "MatryoshkaBatchTopKSAE": "threshold", "JumpReluAutoEncoder": "threshold",
    "circuit-tracer": "activation_function.threshold",
}  # fmt: skip


@pytest.mark.parametrize("thresholded", THRESHOLDS)
def test_a_threshold_that_was_never_estimated_is_refused(thresholded: str, tmp_path: Path) -> None:
    sample = SAMPLES[thresholded][3](tmp_path)

    def unsettle(held: dict[str, Any]) -> None:
        own = THRESHOLDS[thresholded]
        held[own] = torch.full_like(held[own], -1.0)

    rewrite(weights_of(sample), unsettle)
    with pytest.raises(WeightsFormat, match=r"threshold: expected .*found -1.0"):
        load_sae(sample.path)


def test_every_sample_with_a_threshold_is_tried_without(tmp_path: Path) -> None:
    """Llama Scope states its own in JSON, or as a logarithm, which cannot be -1's."""
    read = {each: read_config(SAMPLES[each][3](tmp_path / each).path).architecture for each in SAMPLES}
    jumps = {each for each, architecture in read.items() if architecture.startswith("jumprelu")}
    assert jumps == set(THRESHOLDS) | {each for each in SAMPLES if each.startswith("llama scope")}


def stating(file: str, **stated: Any) -> Callable[[Path], None]:
    """Change keys of a JSON file; those of `trainer` inside it."""

    def change(folder: Path) -> None:
        held = json.loads((folder / file).read_text())
        held.get("trainer", held).update(stated)
        (folder / file).write_text(json.dumps(held))

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "BatchTopKSAE",
            lambda folder: rewrite(folder / "ae.pt", lambda held: held.update(threshold=torch.tensor(-1.0))),
            "threshold: expected 0 or more, found -1.0: training ended before it was estimated",
        ),
        ("saelens training, batchtopk", lambda folder: (folder / "activation_scaler.json").unlink(),
         "expected activation_scaler.json beside it for expected_average_only_in, found none"),
        ("saelens training, batchtopk", stating("activation_scaler.json", scaling_factor=None),
         "scaling_factor: expected a number above 0 for expected_average_only_in, found None"),
        ("saelens training, batchtopk", stating("activation_scaler.json", scaling_factor=-2),
         "scaling_factor: expected a number above 0 for expected_average_only_in, found -2"),
        ("saelens training, batchtopk", stating("cfg.json", normalize_activations="none"),
         "scaling_factor: expected null for none, found 0.7"),
        ("saelens training, whitened", lambda folder: (folder / "activation_whitening.safetensors").unlink(),
         "expected activation_whitening.safetensors beside it for covariance_whitening, found none"),
        ("saelens training, whitened", stating("cfg.json", normalize_activations="batch"),
         "normalize_activations: expected one of none, .*, found 'batch'"),
        ("saelens training, whitened", stating("cfg.json", architecture="temporal"), "found 'temporal'"),
        ("saelens training, whitened", stating("cfg.json", architecture=[]), r"architecture: expected .*found \[\]"),
        ("saelens training, whitened", stating("cfg.json", normalize_activations=[]), r"expected one of .*found \[\]"),
        ("saelens training, batchtopk", stating("cfg.json", rescale_acts_by_decoder_norm=0),
         "rescale_acts_by_decoder_norm: expected true or false, found 0"),
        (
            "saelens training, batchtopk",
            lambda folder: rewrite(
                folder / "sae_weights.safetensors",
                lambda held: held.update(topk_threshold=torch.zeros((), dtype=torch.float64)),
            ),
            "topk_threshold: expected a number above 0, found 0.0: none was estimated",
        ),
        ("BatchTopKSAE", stating("config.json", k=7), "k: expected 7 as config.json says, found 6"),
        ("AutoEncoder", stating("config.json", dict_class="Mystery"), "dict_class: expected one of .*'Mystery'"),
        ("AutoEncoder", stating("config.json", dict_class=[]), r"dict_class: expected one of .*found \[\]"),
        ("AutoEncoderTopK", lambda folder: rewrite(folder / "ae.pt", lambda held: held.update(k=torch.ones(2))),
         r"k: expected 6 as config.json says, found \[1.0, 1.0\]"),
        ("BatchTopKSAE", stating("config.json", dict_size=10**30), "expected shape"),
        ("AutoEncoder", stating("config.json", layer=4), "found 4|expected a TransformerLens name"),
        ("AutoEncoder", stating("config.json", dict_size=None), "trainer.dict_size: expected a whole number"),
        ("AutoEncoder", stating("config.json", layer=None), 'it is not stated: add "layer": N to "trainer"'),
        (
            "llama scope",
            stating(HYPER, dataset_average_activation_norm={}),
            "dataset_average_activation_norm.in: expected a number above 0 there, or .*; found None",
        ),
        (
            "llama scope r1",
            lambda folder: rewrite(
                folder / "sae_weights.safetensors",
                lambda held: held.pop(NORM),
            ),
            "dataset_average_activation_norm.in: expected a number above 0 there, or .*; found None",
        ),
        (
            "llama scope r1",
            lambda folder: rewrite(
                folder / "sae_weights.safetensors",
                lambda held: held.update({NORM: torch.zeros(())}),
            ),
            "expected a number above 0 there, or .*; found 0.0",
        ),
        (
            "llama scope r1",
            lambda folder: rewrite(
                folder / "sae_weights.safetensors",
                lambda held: held.update({NORM: torch.ones(2)}),
            ),
            r"expected a number above 0 there, or .*; found \[1.0, 1.0\]",
        ),
        (
            "llama scope r1",
            lambda folder: rewrite(
                folder / "sae_weights.safetensors",
                lambda held: held.update(log_jumprelu_threshold=torch.zeros(())),
            ),
            r"threshold: expected shape \(72,\), found \(\)",
        ),
        ("llama scope", stating(HYPER, jump_relu_threshold=-1.0), "expected a number of 0 or more, found -1"),
        ("llama scope", stating(HYPER, act_fn="relu"), "act_fn: expected 'jumprelu' or 'topk', found 'relu'"),
        ("llama scope", stating(HYPER, use_glu_encoder=True), "use_glu_encoder: expected False, found True"),
        ("llama scope", stating(HYPER, apply_decoder_bias_to_pre_encoder=True), "False, found True"),
        ("llama scope", stating(HYPER, norm_activation="token-wise"), "norm_activation: .*found 'token-wise'"),
        ("qwen-scope, config.json", stating("config.json", hook_point="mlp_out"), "hook_point: expected resid_post"),
        ("qwen-scope, config.json", stating("config.json", k=None), "k: expected a whole number above 0, found None"),
        ("qwen-scope, config.json", stating("config.json", d_sae=64), "W_enc: expected 64 rows, as config.json says"),
        ("qwen-scope, config.json", stating("config.json", k=1025), "k: expected at most 1024, as many as features"),
        ("llama scope", stating(HYPER, hook_point_out="blocks.3.hook_mlp_out"), "_out: expected"),
        ("sparsify", stating("cfg.json", signed=True), "signed: expected false"),
        ("sparsify", stating("cfg.json", activation="relu"), "activation: expected topk or groupmax, found 'relu'"),
        ("sparsify", stating("cfg.json", skip_connection=True), "skip_connection: expected it with transcode"),
        ("sparsify", stating("cfg.json", transcode="no"), "transcode: expected true or false, found 'no'"),
        ("sparsify", stating("cfg.json", jumprelu=True), "keys: expected none beside .*; found jumprelu"),
        (
            "sparsify, before transcode",
            lambda folder: rewrite(
                folder / "sae.safetensors",
                lambda held: held.update({"encoder.bias": torch.zeros(())}),
            ),
            r"b_enc: expected shape \(72,\), found \(\)",
        ),
        ("sparsify", stating("cfg.json", num_latents=0, expansion_factor=None), "expansion_factor: expected a whole"),
        ("sparsify", stating("cfg.json", k=73), "num_latents: expected at least k = 73, found 72"),
        ("sparsify, skip transcoder", stating("cfg.json", k=7), "num_latents: expected a multiple of k = 7, found 72"),
        ("gemma scope 2", stating("config.json", type="transcoder"), "type: expected sae, found 'transcoder'"),
        (
            "gemma scope 2, transcoder",
            lambda folder: rewrite(
                folder / "params.safetensors",
                lambda held: held.pop("affine_skip_connection"),
            ),
            "expected affine_skip_connection, as its folder is named; found b_dec",
        ),
        (
            "openai v5",
            lambda folder: rewrite(folder / "6.pt", lambda held: held.update(normalize=True)),
            "expected tensors; found unknown normalize, bool",
        ),
        (
            "openai v5",
            lambda folder: rewrite(folder / "6.pt", lambda held: held.update(activation_state_dict={"k": 0})),
            "activation_state_dict.k: expected a whole number above 0, found 0",
        ),
        (
            "openai v5",
            lambda folder: rewrite(
                folder / "6.pt", lambda held: held.update(activation_state_dict={"k": 6, "postact_fn": "Identity"})
            ),
            "expected ReLU, or TopK followed by ReLU; found 'TopK', 'Identity'",
        ),
        ("gemma scope 2", stating("config.json", hf_hook_point_in="model.layers.8.output"), "_in: expected"),
        ("gemma scope 2", stating("config.json", hf_hook_point_out="model.layers.9.mlp.output"), "_in: expected"),
        ("gemma scope 2", stating("config.json", affine_connection=True), "affine_connection: expected False"),
        ("gemma scope 2", stating("config.json", architecture="topk"), "expected jump_relu, found 'topk'"),
        (
            "circuit-tracer",
            lambda folder: (folder / "config.yaml").write_text("model_kind: cross_layer_transcoder\n"),
            "model_kind: expected transcoder_set, found 'cross_layer_transcoder'",
        ),
        (
            "circuit-tracer",
            lambda folder: rewrite(
                folder / "layer_3.safetensors",
                lambda held: held.update({"activation_function.threshold": -torch.ones(making.D_SAE)}),
            ),
            "threshold: expected 0 or more",
        ),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_met_is_refused_by_name(
    tmp_path: Path, name: str, change: Callable[[Path], object], message: str
) -> None:
    sample = SAMPLES[name][3](tmp_path)
    change(sample.path if sample.path.is_dir() else sample.path.parent)
    with pytest.raises(WeightsFormat, match=message):
        load_sae(sample.path)


@pytest.mark.parametrize(
    ("name", "place", "message"),
    [
        (
            "gemma scope",
            "downloads/layer_20",
            "expected the repository's name in its path, such as gemma-scope-2b-pt-res",
        ),
        ("gemma scope 2, transcoder", "downloads/layer_20", "or a folder resid_post, mlp_out, attn_out or transcoder"),
        ("openai v5", "downloads/6.pt", "expected one of mlp_post_act, .* in its path"),
        ("qwen-scope", "downloads/layer7.sae.pt", "or the repository's name in its path, such as SAE-Res-Qwen3"),
        ("qwen-scope", "SAE-Res-Qwen3-1.7B-Base-W2K-L0_6/layer7.sae.pt", "expected 2048 rows, as W2K.* found 1024"),
        ("qresearch", "downloads/sae.pt", "expected the layer in the file's name, such as -l19"),
        ("sparsify", "downloads/model", "expected a folder named for a module"),
    ],
)
def test_a_path_that_does_not_say_what_only_it_can_say_is_refused(
    tmp_path: Path, name: str, place: str, message: str
) -> None:
    sample = SAMPLES[name][3](tmp_path / "hub")
    new = tmp_path / place
    new.parent.mkdir(parents=True, exist_ok=True)
    sample.path.rename(new)
    with pytest.raises(WeightsFormat, match=message):
        load_sae(new)


def test_a_folder_of_several_asks_for_one(tmp_path: Path) -> None:
    sample = releases.circuit_tracer(tmp_path)
    assert load_sae(tmp_path).hook_layer == 3
    making.write(tmp_path / "layer_11.safetensors", files.read_all(sample.path))
    with pytest.raises(WeightsFormat, match=r"expected the path of one .*with 2: layer_3.safetensors, layer_11"):
        load_sae(tmp_path)
    assert load_sae(tmp_path / "layer_11.safetensors").hook_layer == 11


def test_a_file_of_a_folder_is_answered_with_the_folder(tmp_path: Path) -> None:
    sample = libraries.dl_standard(tmp_path / "hub")
    with pytest.raises(WeightsMissing, match=r"expected .*hub, the folder .dictionary_learning.; found a file of it"):
        load_sae(sample.path / "ae.pt")


@pytest.mark.parametrize("between", ["", "saes", "run/saes"])
def test_a_folder_of_folders_asks_for_one_of_them(tmp_path: Path, between: str) -> None:
    place = tmp_path / between
    place.mkdir(parents=True, exist_ok=True)
    for name in ("trainer_0", "trainer_1"):
        libraries.dl_standard(tmp_path / "hub").path.rename(place / name)
    (tmp_path / "logs").mkdir()
    names = ", ".join(str(Path(between, name)) for name in ("trainer_0", "trainer_1"))
    with pytest.raises(WeightsMissing) as caught:
        load_sae(tmp_path)
    assert caught.value.message == f"SAE: {tmp_path}: it holds folders: {names}; name one of them"


def test_where_nothing_is_known_what_is_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    with pytest.raises(WeightsMissing, match=r"expected .*W_enc_.*, found model.bin"):
        load_sae(tmp_path)


def test_a_configuration_that_lacks_is_missing(tmp_path: Path) -> None:
    sample = libraries.sparsify(tmp_path)
    (sample.path / "cfg.json").unlink()
    with pytest.raises(WeightsMissing, match=r"expected cfg.json in .*layers.10, found none"):
        load_sae(sample.path)
