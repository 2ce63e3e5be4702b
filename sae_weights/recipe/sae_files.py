"""An SAE as SAELens writes it (version 6): cfg.json and sae_weights.safetensors."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from whole_files import written_whole

SAE_LENS_VERSION = "6.54.12"
"""Whose loader the files are tested with."""


def write_sae(
    folder: Path, tensors: dict[str, Tensor], layer: int, k: int, own: dict[str, object], facts: dict[str, object]
) -> None:
    """`tensors` of a TopK SAE, or of a JumpReLU one if `threshold` is among them; matrices are stored in bfloat16.

    `own`: metadata.undersong (undersong.sae.formats.saelens); `facts`: how it was trained, metadata.trained.
    """
    folder.mkdir(parents=True, exist_ok=True)
    jump = "threshold" in tensors
    config: dict[str, object] = {
        "architecture": "jumprelu" if jump else "topk",
        "d_in": tensors["W_enc"].shape[0],
        "d_sae": tensors["W_enc"].shape[1],
        **({} if jump else {"k": k}),
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **({} if jump else {"rescale_acts_by_decoder_norm": False}),
        "metadata": {
            "sae_lens_version": SAE_LENS_VERSION,
            "model_name": "undersong-default",
            "hook_name": f"blocks.{layer}.hook_resid_post",
            "hf_hook_name": f"model.layers.{layer}",
            "prepend_bos": True,
            "context_size": 1024,
            **({"undersong": own} if own else {}),
            "trained": facts,
        },
    }
    (folder / "cfg.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    stored = {name: t.to(torch.bfloat16 if t.ndim == 2 else torch.float32).contiguous() for name, t in tensors.items()}
    with written_whole(folder / "sae_weights.safetensors") as part:
        save_file(stored, part)
