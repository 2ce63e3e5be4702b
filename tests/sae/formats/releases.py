"""A random SAE of each published release that has a layout of its own, written as its makers write it."""

from __future__ import annotations

from dataclasses import replace
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


def gemma_scope(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    path = root / "gemma-scope-2b-pt-res/layer_20/width_16k/average_l0_71/params.npz"
    write(path, {name.lower(): tensor for name, tensor in w.items()})
    return plain(path.parent, w, lambda p: jump(p, w["threshold"]), False)


def gemma_scope_embedding(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    path = root / "gemma-scope-2b-pt-res/embedding/width_4k/average_l0_6/params.npz"
    write(path, {name.lower(): tensor for name, tensor in w.items()})
    table = plain(path, w, lambda p: jump(p, w["threshold"]), False)
    scale = D_IN**0.5
    return Sample(path, w, lambda x: table.encode(x / scale), lambda x: table.rebuild(x / scale) * scale)


def gemma_scope_transcoder(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    path = root / "gemma-scope-2b-pt-transcoders/layer_3/width_16k/average_l0_54/params.npz"
    write(path, w)
    return plain(path.parent, w, lambda p: jump(p, w["threshold"]), False)


def gemma_scope_2(root: Path) -> Sample:
    w = weights(threshold=thresholds())
    path = root / "gemma-scope-2-270m-pt/resid_post/layer_9_width_16k_l0_medium/params.safetensors"
    write(path, {name.lower(): tensor for name, tensor in w.items()})
    write_json(path.parent / "config.json", {
        "architecture": "jump_relu", "model_name": "google/gemma-3-270m-pt", "type": "sae", "width": D_SAE, "l0": 60,
        "affine_connection": False, "hf_hook_point_in": "model.layers.9.output",
        "hf_hook_point_out": "model.layers.9.output",
    })  # fmt: skip
    return plain(path.parent, w, lambda p: jump(p, w["threshold"]), False)


def gemma_scope_2_transcoder(root: Path) -> Sample:
    skip = random(D_OUT, D_IN, seed=6) * 0.2
    w = weights(D_OUT, threshold=thresholds())
    path = root / "gemma-scope-2-1b-it/transcoder_all/layer_5_width_16k_l0_small_affine/params.safetensors"
    write(path, {**{name.lower(): tensor for name, tensor in w.items()}, "affine_skip_connection": skip.T})
    return plain(path.parent, w, lambda p: jump(p, w["threshold"]), False, skip)


def gemma_scope_2_plain_transcoder(root: Path) -> Sample:
    w = weights(D_OUT, threshold=thresholds())
    path = root / "gemma-scope-2-1b-it/transcoder/layer_5_width_16k_l0_small/params.safetensors"
    write(path, {name.lower(): tensor for name, tensor in w.items()})
    return plain(path.parent, w, lambda p: jump(p, w["threshold"]), False)


def scaled(path: Path, w: Weights, norm: float, threshold: Tensor) -> Sample:
    """Trained on x times sqrt(d) / norm; `threshold` [d_sae] in the SAE's own units."""
    scale = D_IN**0.5 / norm

    def encode(x: Tensor) -> Tensor:
        return jump(pre(w, x * scale, False), threshold)

    return Sample(path, w, encode, lambda x: (encode(x) @ w["W_dec"] + w["b_dec"]) / scale)


def unit_rows(w: Weights) -> Weights:
    return {**w, "W_dec": w["W_dec"] / w["W_dec"].norm(dim=1, keepdim=True)}


# What is the same in all of OpenMOSS' configurations of these families.
OPENMOSS: dict[str, Any] = {
    "d_model": D_IN, "act_fn": "jumprelu", "norm_activation": "dataset-wise", "use_decoder_bias": True,
    "use_glu_encoder": False, "apply_decoder_bias_to_pre_encoder": False, "sparsity_include_decoder_norm": True,
    "hook_point_in": "blocks.15.hook_resid_post", "hook_point_out": "blocks.15.hook_resid_post",
}  # fmt: skip


def llama_scope(root: Path, w: Weights | None = None) -> Sample:
    """As published: decoder rows of length 1."""
    w, norm, threshold = w or unit_rows(weights()), 7.0, 0.6
    path = root / "Llama3_1-8B-Base-L15R-8x"
    write(path / "checkpoints/final.safetensors", linear(w))
    write_json(path / "hyperparams.json", {
        **OPENMOSS, "d_sae": D_SAE, "jump_relu_threshold": threshold, "top_k": 12,
        "dataset_average_activation_norm": {"in": norm, "out": norm},
    })  # fmt: skip
    return scaled(path, w, norm, torch.full((D_SAE,), threshold * D_IN**0.5 / norm))


def llama_scope_long_rows(root: Path) -> Sample:
    """Rows of other lengths: OpenMOSS' initializer brings it to the model's units and unit rows, then thresholds."""
    w, norm, threshold = weights(), 7.0, 0.6
    path, s = llama_scope(root, w).path, D_IN**0.5 / norm
    lengths = w["W_dec"].norm(dim=1)

    def theirs(x: Tensor) -> Tensor:
        hidden = x @ (w["W_enc"] * lengths) + w["b_enc"] / s * lengths
        return torch.where(hidden > threshold, hidden, torch.zeros(()))

    def rebuild(x: Tensor) -> Tensor:
        return theirs(x) @ (w["W_dec"] / lengths[:, None]) + w["b_dec"] / s

    # Ours are in SAELens' units.
    return Sample(path, w, lambda x: theirs(x) / lengths * s, rebuild)


def llama_scope_r1(root: Path) -> Sample:
    """The norm is kept as a tensor, as lm_saes' save_checkpoint does."""
    w, norm = unit_rows(weights()), 7.0
    path = root / "Llama-Scope-R1-Distill/400M-Slimpajama-400M-OpenR1-Math-220k/L15R"
    write(path / "sae_weights.safetensors", {
        **linear(w), "log_jumprelu_threshold": thresholds().log(),
        "dataset_average_activation_norm.blocks.15.hook_resid_post": torch.tensor(norm),
    })  # fmt: skip
    write_json(path / "config.json", {**OPENMOSS, "expansion_factor": D_SAE // D_IN})
    return scaled(path, w, norm, thresholds())


def openai_state(w: Weights) -> dict[str, Any]:
    return {
        "pre_bias": w["b_dec"].clone(), "latent_bias": w["b_enc"].clone(),
        "encoder.weight": w["W_enc"].T.contiguous(), "decoder.weight": w["W_dec"].T.contiguous(),
        "stats_last_nonzero": torch.zeros(D_SAE, dtype=torch.long),
        "latents_activation_frequency": torch.ones(D_SAE), "latents_mean_square": torch.zeros(D_SAE),
    }  # fmt: skip


def openai_relu(root: Path) -> Sample:
    w, path = weights(), root / "gpt2-small/resid_delta_mlp/autoencoders/6.pt"
    path.parent.mkdir(parents=True)
    torch.save({**openai_state(w), "activation": "ReLU", "activation_state_dict": {}}, path)
    return plain(path, w, relu, True)


def openai_topk(root: Path) -> Sample:
    w, path = weights(), root / "gpt2-small/resid_post_mlp_v5_32k/autoencoders/6.pt"
    path.parent.mkdir(parents=True)
    top_state = {"k": K, "postact_fn": "ReLU"}
    torch.save({**openai_state(w), "activation": "TopK", "activation_state_dict": top_state}, path)
    return layer_normed(path, w, top)


def goodfire(root: Path) -> Sample:
    w = weights()
    path = write(root / "Llama-3.1-8B-Instruct-SAE-l19.pth", linear(w, "encoder_linear", "decoder_linear"))
    return plain(path, w, relu, False)


def qresearch(root: Path) -> Sample:
    w = weights()
    return plain(write(root / "DeepSeek-R1-Distill-Llama-8B-SAE-l19.pt", linear(w)), w, relu, False)


def qwen_scope(root: Path) -> Sample:
    w = {**weights(), "W_enc": random(D_IN, 1024, seed=1), "W_dec": random(1024, D_IN, seed=2), "b_enc": random(1024)}
    path = root / f"SAE-Res-Qwen3-1.7B-Base-W1K-L0_{K}/layer7.sae.pt"
    write(path, {**w, "W_enc": w["W_enc"].T, "W_dec": w["W_dec"].T})
    return plain(path, w, top, False)


def qwen_scope_with_config(root: Path) -> Sample:
    sample = qwen_scope(root / "hub")
    path = root / "downloads/layer7.sae.pt"
    path.parent.mkdir()
    sample.path.rename(path)
    write_json(path.with_name("config.json"), {
        "model_type": "topk_sae", "base_model": "Qwen/Qwen3-1.7B-Base", "d_model": D_IN, "d_sae": 1024, "k": K,
        "num_layers": 28, "hook_point": "resid_post", "dtype": "float32",
    })  # fmt: skip
    return replace(sample, path=path)


def circuit_tracer(root: Path) -> Sample:
    skip = random(D_OUT, D_IN, seed=6) * 0.2
    w = weights(D_OUT, threshold=thresholds())
    held = {**w, "W_enc": w["W_enc"].T, "activation_function.threshold": w["threshold"], "W_skip": skip}
    del held["threshold"]
    path = write(root / "layer_3.safetensors", held)
    (root / "config.yaml").write_text(
        'model_name: "Qwen/Qwen3-4B"\nmodel_kind: "transcoder_set"\nfeature_input_hook: "mlp.hook_in"\n'
        'feature_output_hook: "mlp.hook_out"\nscan: "qwen3-4b"\n'
    )
    return plain(path, w, lambda p: jump(p, w["threshold"]), False, skip)


def kissane(root: Path) -> Sample:
    w = weights()
    path = write(root / "gpt2-small_L5_Hcat_z.pt", w)
    write_json(root / "gpt2-small_L5_Hcat_z_cfg.json", {
        "act_size": D_IN, "dict_size": D_SAE, "act_name": "blocks.5.attn.hook_z",
    })  # fmt: skip
    return plain(path, w, relu, True)
