"""Formats against sae_lens 6.54 itself: its files, its training folders, and its own readers of others' files.

Its readers of published files fetch from the hub; here it is answered with files that tests/sae/formats wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.sae.formats import making
from tests.sae.formats.making import D_IN, D_OUT, D_SAE, K, Sample, inputs, random
from tests.sae.formats.samples import SAMPLES
from tests.sae.test_transcoders import clt_weights, write_clt
from undersong.cli.sae.convert import saelens
from undersong.hook_points import HookPoint
from undersong.sae.formats.saelens import THEIRS
from undersong.sae.load import load_clt, load_sae

sae_lens = pytest.importorskip("sae_lens")
pytestmark = pytest.mark.filterwarnings("default")

METADATA: dict[str, Any] = {"hook_name": "blocks.2.hook_resid_post", "hook_name_out": "blocks.2.hook_mlp_out"}
COMMON: dict[str, Any] = {"d_in": D_IN, "d_sae": D_SAE, "metadata": METADATA}
ACROSS: dict[str, Any] = {**COMMON, "d_out": D_OUT, "apply_b_dec_to_input": False}
# Name -> their architecture, and what is stated beside COMMON.
OWN: dict[str, tuple[str, dict[str, Any]]] = {
    "standard": ("standard", COMMON),
    "standard, b_dec left in": ("standard", {**COMMON, "apply_b_dec_to_input": False}),
    "jumprelu": ("jumprelu", COMMON),
    "jumprelu, layer norm": ("jumprelu", {**COMMON, "normalize_activations": "layer_norm"}),
    "topk": ("topk", {**COMMON, "k": K}),
    "topk, rescaled": ("topk", {**COMMON, "k": K, "rescale_acts_by_decoder_norm": True}),
    "topk, constant norm": ("topk", {**COMMON, "k": K, "normalize_activations": "constant_norm_rescale"}),
    "gated": ("gated", COMMON),
    "transcoder": ("transcoder", ACROSS),
    "jumprelu transcoder": ("jumprelu_transcoder", ACROSS),
    "skip transcoder": ("skip_transcoder", ACROSS),
    "jumprelu skip transcoder": ("jumprelu_skip_transcoder", ACROSS),
    "transcoder, layer norm": ("transcoder", {**ACROSS, "normalize_activations": "layer_norm"}),
}


def randomised(theirs: Any) -> Any:
    with torch.no_grad():
        for seed, (name, parameter) in enumerate(sorted(theirs.named_parameters())):
            noise = random(*parameter.shape, seed=seed) * 0.3
            parameter.copy_(noise.abs() if name == "threshold" else noise)
    return theirs


def same(ours: Any, theirs: Any, x: Tensor, acts: bool = True) -> None:
    with torch.no_grad():
        expected = theirs.encode(x)
        if acts:
            torch.testing.assert_close(ours.encode(x), expected, atol=1e-5, rtol=1e-5)
            assert torch.equal(ours.encode(x) > 0, expected > 0) and (expected > 0).any()
        torch.testing.assert_close(ours.rebuild(x), theirs(x), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", OWN)
def test_what_sae_lens_writes_computes_the_same_here(tmp_path: Path, name: str) -> None:
    from sae_lens.registry import get_sae_class

    architecture, stated = OWN[name]
    kind, _ = get_sae_class(architecture)
    theirs = randomised(kind.from_dict({**stated, "architecture": architecture}))
    theirs.save_model(tmp_path)
    same(load_sae(tmp_path), sae_lens.SAE.load_from_disk(tmp_path), inputs())


# What cfg.json said before version 6, beside the sizes and where it reads.
FLAT: dict[str, dict[str, Any]] = {
    "nothing more": {},
    "standard": {"architecture": "standard", "activation_fn_str": "relu", "normalize_activations": False},
    "b_dec left in": {"apply_b_dec_to_input": False, "normalize_activations": "none"},
    "topk": {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}},
    "topk, by name": {"architecture": "topk", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}},
    "jumprelu": {"architecture": "jumprelu", "activation_fn_str": "relu"},
    "jumprelu, layer norm": {"architecture": "jumprelu", "normalize_activations": "layer_norm"},
    "gated": {"architecture": "gated"},
}


@pytest.mark.parametrize("name", FLAT)
def test_what_was_written_before_version_6_computes_what_it_does_in_sae_lens(tmp_path: Path, name: str) -> None:
    held = making.weights()
    if name.startswith("jumprelu"):
        held["threshold"] = making.thresholds()
    if name == "gated":
        del held["b_enc"]
        held |= {each: random(D_SAE, seed=n) * 0.3 for n, each in enumerate(("b_gate", "b_mag", "r_mag"), start=6)}
    making.write(tmp_path / "sae_weights.safetensors", held)
    making.write_json(tmp_path / "cfg.json", {
        "d_in": D_IN, "d_sae": D_SAE, "hook_point": "blocks.2.hook_resid_post", "hook_point_layer": 2,
        "model_name": "tiny", "dtype": "float32", "device": "cpu", "l1_coefficient": 0.001, **FLAT[name],
    })  # fmt: skip
    same(load_sae(tmp_path), sae_lens.SAE.load_from_disk(tmp_path), inputs())


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_converted_computes_the_same_in_sae_lens(tmp_path: Path, name: str) -> None:
    sample, out = SAMPLES[name][3](tmp_path / "hub"), tmp_path / "out"
    told = saelens(sample.path, out)
    ours = load_sae(sample.path)
    if ours.config.architecture not in THEIRS:
        assert "SAELens itself has no such architecture" in told
        return
    theirs = sae_lens.SAE.load_from_disk(out)
    # Of heads' results it is to have one axis more than our inputs.
    theirs.turn_off_forward_pass_hook_z_reshaping()
    same(ours, theirs, inputs())
    assert theirs.cfg.metadata.hook_name == ours.config.hook_name


TRAINING: dict[str, tuple[str, dict[str, Any]]] = {
    "standard": ("StandardTrainingSAE", {}),
    "gated": ("GatedTrainingSAE", {}),
    "jumprelu": ("JumpReLUTrainingSAE", {}),
    "topk": ("TopKTrainingSAE", {"k": K, "rescale_acts_by_decoder_norm": True}),
    "batchtopk": ("BatchTopKTrainingSAE", {"k": K, "rescale_acts_by_decoder_norm": False}),
    "batchtopk, rescaled": ("BatchTopKTrainingSAE", {"k": K, "rescale_acts_by_decoder_norm": True}),
    "matryoshka": (
        "MatryoshkaBatchTopKTrainingSAE",
        {"k": K, "matryoshka_widths": [24, 72], "rescale_acts_by_decoder_norm": True},
    ),
}


@pytest.mark.parametrize(
    "scaling",
    ["none", "expected_average_only_in", "covariance_whitening", "layer_norm", "constant_norm_rescale"],
)
@pytest.mark.parametrize("name", TRAINING)
def test_a_training_folder_computes_what_sae_lens_exports_from_it(tmp_path: Path, name: str, scaling: str) -> None:
    from sae_lens.training.activation_scaler import ActivationScaler, ActivationWhitening

    kind, stated = TRAINING[name]
    config = getattr(sae_lens, f"{kind}Config").from_dict({**COMMON, **stated, "normalize_activations": scaling})
    theirs = randomised(getattr(sae_lens, kind)(config))
    if hasattr(theirs, "topk_threshold"):
        theirs.topk_threshold.fill_(0.6)
    scaler = ActivationScaler()
    if scaling == "expected_average_only_in":
        scaler.scaling_factor = 0.7
    if scaling == "covariance_whitening":
        matrix = torch.eye(D_IN) + 0.1 * random(D_IN, D_IN, seed=3)
        scaler.whitening = ActivationWhitening(random(D_IN, seed=4) * 0.2, matrix, torch.linalg.inv(matrix))
    checkpoint, exported = tmp_path / "1000", tmp_path / "final"
    theirs.save_model(checkpoint)
    scaler.save(str(checkpoint / "activation_scaler.json"))

    # As their trainer ends (training/sae_trainer.py, fit).
    if scaler.scaling_factor is not None:
        theirs.fold_activation_norm_scaling_factor(scaler.scaling_factor)
    if scaler.whitening is not None:
        theirs.fold_activation_whitening(
            scaler.whitening.mean, scaler.whitening.matrix, scaler.whitening.inverse_matrix
        )
    theirs.save_inference_model(exported)
    final = sae_lens.SAE.load_from_disk(exported)
    same(load_sae(checkpoint), final, inputs())
    same(load_sae(exported), final, inputs())


def fetched(root: Path) -> Callable[..., str]:
    """In place of the hub: the file of that name under `root`."""

    def download(repo_id: str, filename: str, subfolder: str | None = None, **_: Any) -> str:
        from huggingface_hub.utils import EntryNotFoundError

        path = root / repo_id / (subfolder or "") / filename
        if not path.is_file():
            raise EntryNotFoundError(str(path))
        return str(path)

    return download


# Sample -> their reader; the repository and the folder or file in it, as the reader takes them; what of their
# configuration our sizes override; a scale that their table of releases holds, not the file.
READERS: dict[str, tuple[str, str, str, dict[str, Any], float | None]] = {
    "gemma scope": ("gemma_2", "gemma-scope-2b-pt-res", "layer_20/width_16k/average_l0_71", {}, None),
    "gemma scope, embedding": ("gemma_2", "gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6", {}, None),
    "gemma scope, transcoder": (
        "gemma_2_transcoder", "gemma-scope-2b-pt-transcoders", "layer_3/width_16k/average_l0_54", {"d_out": D_IN}, None,
    ),
    "gemma scope 2": ("gemma_3", "gemma-scope-2-270m-pt", "resid_post/layer_9_width_16k_l0_medium", {}, None),
    "gemma scope 2, transcoder": (
        "gemma_3", "gemma-scope-2-1b-it", "transcoder_all/layer_5_width_16k_l0_small_affine", {"d_out": D_OUT}, None,
    ),
    "gemma scope 2, plain transcoder": (
        "gemma_3", "gemma-scope-2-1b-it", "transcoder/layer_5_width_16k_l0_small", {"d_out": D_OUT}, None,
    ),
    "llama scope": ("llama_scope", ".", "Llama3_1-8B-Base-L15R-8x", {"dtype": "float32"}, D_IN**0.5 / 7),
    "llama scope r1": (
        "llama_scope_r1_distill", "Llama-Scope-R1-Distill", "400M-Slimpajama-400M-OpenR1-Math-220k/L15R",
        {}, D_IN**0.5 / 7,
    ),
    "AutoEncoder": ("dictionary_learning_1", ".", ".", {}, None),
    "GatedAutoEncoder": ("dictionary_learning_1", ".", ".", {}, None),
    "AutoEncoderTopK": ("dictionary_learning_1", ".", ".", {}, None),
    "BatchTopKSAE": ("dictionary_learning_1", ".", ".", {}, None),
    "MatryoshkaBatchTopKSAE": ("dictionary_learning_1", ".", ".", {}, None),
    "JumpReluAutoEncoder": ("dictionary_learning_1", ".", ".", {}, None),
    "goodfire": (
        "goodfire", "Goodfire/Llama-3.1-8B-Instruct-SAE-l19", "Llama-3.1-8B-Instruct-SAE-l19.pth", {}, None,
    ),
    "qresearch": ("deepseek_r1", ".", "DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt", {"dtype": "float32"}, None),
    "qwen-scope": ("qwen_scope", f"SAE-Res-Qwen3-1.7B-Base-W1K-L0_{K}", "layer7.sae.pt", {"d_sae": 1024}, None),
    "kissane": ("connor_rob_hook_z", ".", "gpt2-small_L5_Hcat_z.pt", {"reshape_activations": "none"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_published_files_compute_what_they_do_in_sae_lens(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, repository, folder, stated, scale = READERS[name]
    root = tmp_path / "Goodfire/Llama-3.1-8B-Instruct-SAE-l19" if name == "goodfire" else tmp_path
    root.mkdir(parents=True, exist_ok=True)
    sample = SAMPLES[name][3](root)
    theirs = through_sae_lens(tmp_path, reader, repository, folder, stated, monkeypatch)
    if scale is not None:
        theirs.fold_activation_norm_scaling_factor(scale)
    x = inputs()
    if name == "gemma scope, embedding":
        # It rescales the matrices and not b_dec: the reconstructions differ by that, and only by that.
        ours = load_sae(sample.path)
        torch.testing.assert_close(ours.encode(x), theirs.encode(x), atol=1e-5, rtol=1e-5)
        b_dec = sample.weights["b_dec"]
        expected = theirs(x) + (D_IN**0.5 - 1) * b_dec
        torch.testing.assert_close(ours.rebuild(x), expected, atol=1e-4, rtol=1e-4)
        return
    same(load_sae(sample.path), theirs, x)


def through_sae_lens(
    root: Path, reader: str, repository: str, folder: str, stated: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Any:
    from sae_lens.loading import pretrained_sae_loaders as theirs

    def shapes(repo_id: str, filename: str) -> dict[str, list[int]]:
        from safetensors.torch import load_file

        return {name: list(tensor.shape) for name, tensor in load_file(root / repo_id / filename).items()}

    monkeypatch.setattr(theirs, "hf_hub_download", fetched(root))
    monkeypatch.setattr(theirs, "get_safetensors_tensor_shapes", shapes)
    overrides = {"d_in": D_IN, "d_sae": D_SAE, "dtype": "float32", **stated}
    config, tensors, _ = theirs.NAMED_PRETRAINED_SAE_LOADERS[reader](repository, folder, "cpu", False, overrides)
    whole = theirs.handle_config_defaulting(config)
    sae = sae_lens.SAE.from_dict(whole)
    sae.load_state_dict({name: tensor.contiguous() for name, tensor in tensors.items()})
    return sae


def test_what_sae_lens_makes_of_a_gemma_scope_2_transcoder_reads_where_the_original_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes hook_mlp_in, TransformerLens' name for what enters the norm before the MLP."""
    reader, repository, folder, stated, _ = READERS["gemma scope 2, transcoder"]
    sample = SAMPLES["gemma scope 2, transcoder"][3](tmp_path)
    through_sae_lens(tmp_path, reader, repository, folder, stated, monkeypatch).save_model(tmp_path / "saved")
    again = load_sae(tmp_path / "saved")
    assert again.config.point == load_sae(sample.path).config.point == HookPoint(5, "mlp_in")


def test_transcoders_of_circuit_tracer_compute_what_they_do_in_sae_lens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reader knows the plain ones only: without threshold and skip."""
    w = making.weights()
    making.write(tmp_path / "layer_3.safetensors", {**w, "W_enc": w["W_enc"].T})
    (tmp_path / "config.yaml").write_text('model_name: "Qwen/Qwen3-4B"\nfeature_input_hook: "mlp.hook_in"\n')
    (tmp_path / "wandb-config.yaml").write_text(
        f"d_model: {{value: {D_IN}}}\nd_feature: {{value: {D_SAE}}}\nbatch_size: {{value: 4}}\n"
    )
    stated = {"d_out": D_IN}
    theirs = through_sae_lens(tmp_path, "mwhanna_transcoder", ".", "layer_3.safetensors", stated, monkeypatch)
    same(load_sae(tmp_path / "layer_3.safetensors"), theirs, inputs())


def test_features_of_a_cross_layer_transcoder_are_active_as_in_sae_lens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It adds up a feature's decoders: its activations are the CLT's, its reconstructions are not."""
    yaml = "model_name: google/gemma-2-2b\nfeature_input_hook: hook_resid_mid\nfeature_output_hook: hook_mlp_out\n"
    folder = write_clt(tmp_path / "clt", *clt_weights(), yaml=yaml)
    stated = {"d_out": D_OUT}
    theirs = through_sae_lens(tmp_path, "mntss_clt_layer_transcoder", "clt", "1", stated, monkeypatch)
    with torch.no_grad():
        expected = theirs.encode(inputs())
    assert (expected > 0).any()
    torch.testing.assert_close(load_clt(folder).encode(1, inputs()), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["sparsify", "AutoEncoderNew"])
def test_what_sae_lens_cannot_read_we_can(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its converters fail on these (`W_dec` is transposed once too often; `decoder.bias` is not looked for)."""
    sample: Sample = SAMPLES[name][3](tmp_path)
    reader, folder = {"sparsify": ("sparsify", "sae-tiny/layers.10"), "AutoEncoderNew": ("dictionary_learning_1", ".")}[
        name
    ]
    with pytest.raises((RuntimeError, AttributeError, TypeError)):
        through_sae_lens(tmp_path, reader, ".", folder, {}, monkeypatch)
    torch.testing.assert_close(load_sae(sample.path).encode(inputs()), sample.encode(inputs()), atol=1e-5, rtol=1e-5)
