"""A random SAE of each layout that a library trains: SAELens, dictionary_learning, sparsify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.sae.formats.making import (
    D_IN,
    D_OUT,
    D_SAE,
    K,
    Sample,
    Weights,
    jump,
    layer_normed,
    linear,
    plain,
    pre,
    random,
    relu,
    thresholds,
    top,
    weights,
    write,
    write_json,
)


def saelens_topk_layer_norm(root: Path) -> Sample:
    w = weights()
    metadata = {"hook_name": "blocks.2.hook_resid_post", "model_name": "tiny", "prepend_bos": False}
    write_json(root / "cfg.json", {
        "architecture": "topk", "d_in": D_IN, "d_sae": D_SAE, "k": K, "dtype": "float32", "device": "cpu",
        "apply_b_dec_to_input": True, "normalize_activations": "layer_norm", "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False, "metadata": metadata,
    })  # fmt: skip
    write(root / "sae_weights.safetensors", w)
    return layer_normed(root, w, top)


def saelens_constant_norm(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    saelens_topk_layer_norm(root)
    stated = json.loads((root / "cfg.json").read_text())
    write_json(root / "cfg.json", {
        **{key: value for key, value in stated.items() if key not in ("k", "rescale_acts_by_decoder_norm")},
        "architecture": "jumprelu", "normalize_activations": "constant_norm_rescale",
    })  # fmt: skip
    write(root / "sae_weights.safetensors", w)

    def encode(x: Tensor) -> Tensor:
        return jump(pre(w, x * D_IN**0.5 / x.norm(dim=1, keepdim=True), True), w["threshold"])

    def rebuild(x: Tensor) -> Tensor:
        return (encode(x) @ w["W_dec"] + w["b_dec"]) * x.norm(dim=1, keepdim=True) / D_IN**0.5

    return Sample(root, w, encode, rebuild)


def saelens_skip_transcoder(root: Path) -> Sample:
    skip = random(D_OUT, D_IN, seed=6) * 0.2
    w = weights(D_OUT, threshold=thresholds())
    write_json(root / "cfg.json", {
        "architecture": "jumprelu_skip_transcoder", "d_in": D_IN, "d_sae": D_SAE, "d_out": D_OUT,
        "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": False, "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"hook_name": "blocks.1.mlp.hook_in", "hook_name_out": "blocks.1.hook_mlp_out"},
    })  # fmt: skip
    write(root / "sae_weights.safetensors", {**w, "W_skip": skip})
    return plain(root, w, lambda p: jump(p, w["threshold"]), False, skip)


def saelens_checkpoint(root: Path, w: Weights, **stated: Any) -> None:
    """As SAELens' trainer saves: its configuration of training, of which most says how."""
    write_json(root / "cfg.json", {
        "d_in": D_IN, "d_sae": D_SAE, "dtype": "float32", "device": "cpu", "apply_b_dec_to_input": True,
        "reshape_activations": "none", "l1_coefficient": 1.0, "lr": 3e-4,
        "metadata": {"hook_name": "blocks.2.hook_resid_post", "model_name": "tiny"}, **stated,
    })  # fmt: skip
    write_json(root / "runner_cfg.json", {"training_tokens": 1000})
    write(root / "sae_weights.safetensors", w)


def saelens_training_batchtopk(root: Path) -> Sample:
    """Threshold and activations in units of the decoder's rows, inputs times 0.7; exported in the model's units."""
    w, threshold, s = weights(), 0.6, 0.7
    saelens_checkpoint(
        root, {**w, "topk_threshold": torch.tensor(threshold, dtype=torch.float64)}, architecture="batchtopk", k=K,
        rescale_acts_by_decoder_norm=True, normalize_activations="expected_average_only_in",
    )  # fmt: skip
    write_json(root / "activation_scaler.json", {"scaling_factor": s})
    lengths = w["W_dec"].norm(dim=1)

    def encode(x: Tensor) -> Tensor:
        return jump(pre(w, x * s, True) * lengths, torch.tensor(threshold)) / s

    return Sample(root, w, encode, lambda x: (encode(x) * s / lengths @ w["W_dec"] + w["b_dec"]) / s)


def saelens_training_whitened(root: Path) -> Sample:
    w = weights()
    saelens_checkpoint(root, w, architecture="standard", normalize_activations="covariance_whitening")
    mean, matrix = random(D_IN, seed=4) * 0.2, torch.eye(D_IN) + 0.1 * random(D_IN, D_IN, seed=3)
    inverse = torch.linalg.inv(matrix)
    held = {"mean": mean, "matrix": matrix, "inverse_matrix": inverse}
    write(root / "activation_whitening.safetensors", held)

    def encode(x: Tensor) -> Tensor:
        return relu(pre(w, (x - mean) @ matrix, True))

    return Sample(root, w, encode, lambda x: (encode(x) @ w["W_dec"] + w["b_dec"]) @ inverse + mean)


def trained(root: Path, kind: str, held: Weights, **trainer: Any) -> Path:
    write_json(root / "config.json", {
        "trainer": {
            "dict_class": kind, "activation_dim": D_IN, "dict_size": D_SAE, "layer": 3, "lm_name": "EleutherAI/tiny",
            "submodule_name": "resid_post_layer_3", **trainer,
        },
        "buffer": {"ctx_len": 128},
    })  # fmt: skip
    write(root / "ae.pt", held)
    return root


def dl_standard(root: Path) -> Sample:
    w = weights()
    held = {"bias": w["b_dec"], **linear(w)}
    del held["decoder.bias"]
    return plain(trained(root, "AutoEncoder", held), w, relu, True)


def dl_new(root: Path) -> Sample:
    w = weights()
    return plain(trained(root, "AutoEncoderNew", linear(w)), w, relu, False)


def dl_gated(root: Path) -> Sample:
    w = weights(
        r_mag=random(D_SAE, seed=7) * 0.3, b_gate=random(D_SAE, seed=8) * 0.3, b_mag=random(D_SAE, seed=9) * 0.3
    )
    held = {
        "decoder_bias": w["b_dec"], "encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T,
        "r_mag": w["r_mag"], "gate_bias": w["b_gate"], "mag_bias": w["b_mag"],
    }  # fmt: skip
    del w["b_enc"]

    def encode(x: Tensor) -> Tensor:
        projected = (x - w["b_dec"]) @ w["W_enc"]
        return relu(projected * w["r_mag"].exp() + w["b_mag"]) * (projected + w["b_gate"] > 0)

    path = trained(root, "GatedAutoEncoder", held)
    return Sample(path, w, encode, lambda x: encode(x) @ w["W_dec"] + w["b_dec"])


def dl_topk(root: Path) -> Sample:
    w = weights()
    held = {**linear(w), "b_dec": w["b_dec"], "k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(-1.0)}
    del held["decoder.bias"]
    return plain(trained(root, "AutoEncoderTopK", held, k=K), w, top, True)


def dl_batch_topk(root: Path, threshold: float = 0.8) -> Sample:
    w = weights()
    held = {
        **linear(w), "b_dec": w["b_dec"], "k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(threshold),
    }  # fmt: skip
    del held["decoder.bias"]
    return plain(trained(root, "BatchTopKSAE", held, k=K), w, lambda p: jump(p, torch.tensor(threshold)), True)


def dl_matryoshka(root: Path) -> Sample:
    w = weights()
    held = {
        **w, "k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(0.8),
        "group_sizes": torch.tensor([16, 56]),
    }  # fmt: skip
    path = trained(root, "MatryoshkaBatchTopKSAE", held, k=K)
    return plain(path, w, lambda p: jump(p, torch.tensor(0.8)), True)


def dl_jumprelu(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    return plain(trained(root, "JumpReluAutoEncoder", w), w, lambda p: jump(p, w["threshold"]), False)


def sparsify(root: Path) -> Sample:
    w = weights()
    path = root / "sae-tiny/layers.10"
    write_json(path / "cfg.json", {
        "activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": D_SAE, "k": K,
        "multi_topk": False, "skip_connection": False, "transcode": False, "d_in": D_IN,
    })  # fmt: skip
    held = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "W_dec": w["W_dec"], "b_dec": w["b_dec"]}
    write(path / "sae.safetensors", held)
    return plain(path, w, top, True)


def sparsify_transcoder(root: Path) -> Sample:
    skip = random(D_IN, D_IN, seed=6) * 0.2
    w = weights()
    path = root / "transcoder-tiny/layers.4.mlp"
    write_json(path / "cfg.json", {
        "activation": "groupmax", "num_latents": D_SAE, "k": 8, "skip_connection": True, "transcode": True,
        "d_in": D_IN,
    })  # fmt: skip
    held = {"encoder.weight": w["W_enc"].T, "encoder.bias": w["b_enc"], "W_dec": w["W_dec"], "b_dec": w["b_dec"]}
    write(path / "sae.safetensors", {**held, "W_skip": skip})

    def largest(pre: Tensor) -> Tensor:
        groups = pre.clamp_min(0).reshape(len(pre), 8, D_SAE // 8)
        return torch.where(groups == groups.amax(dim=2, keepdim=True), groups, torch.zeros(())).reshape(pre.shape)

    return plain(path, w, largest, False, skip)


def sparsify_before_transcode(root: Path) -> Sample:
    """EleutherAI/skip-transcoder-*: from before `transcode` was a key, and sparsify subtracts b_dec."""
    sample = sparsify_transcoder(root)
    write_json(sample.path / "cfg.json", {
        "expansion_factor": 32, "normalize_decoder": True, "num_latents": D_SAE, "k": K, "multi_topk": False,
        "skip_connection": True, "d_in": D_IN,
    })  # fmt: skip
    skip = random(D_IN, D_IN, seed=6) * 0.2
    return plain(sample.path, sample.weights, top, True, skip)
