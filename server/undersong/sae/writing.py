"""Writing an SAE as SAELens does from version 6 on: `cfg.json` and `sae_weights.safetensors`.

What SAELens has no word for stands in `metadata.undersong`, which it passes over: the grain, a crosscoder's places.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from undersong.sae.architectures.cross_layer_transcoder import CLTConfig
from undersong.sae.config import SAEConfig

SAELENS_VERSION = "6.54.12"
"""Whose loader the files are tested with."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """A safetensors file, in one move, with the permissions that any new file gets: the library's own are its owner's
    alone."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch()
    mode = part.stat().st_mode
    save_file(dict(tensors), part, None if metadata is None else dict(metadata))
    part.chmod(mode)
    os.replace(part, path)


def write_saelens(
    folder: Path, config: SAEConfig, tensors: Mapping[str, Tensor], trained: Mapping[str, Any] | None = None
) -> Path:
    """`tensors` in canonical form into `folder`; `trained`: how it came about, plain data, kept as metadata.trained.

    The weights come first and the configuration last, each in one move: a folder with a cfg.json is whole.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    save_tensors(folder / "sae_weights.safetensors", held)
    stated = saelens_config(config, str(held["W_dec"].dtype).removeprefix("torch."), trained)
    part = folder / "cfg.json.part"
    part.write_text(json.dumps(stated, indent=1) + "\n", "utf-8")
    os.replace(part, folder / "cfg.json")
    return folder


def write_clt(folder: Path, config: CLTConfig, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> Path:
    """A cross-layer transcoder as circuit-tracer has it: W_enc_i.safetensors, W_dec_i.safetensors, config.yaml.

    `tensors`: W_enc, b_enc, b_dec, threshold as CrossLayerTranscoder has them, and W_dec_i of each layer.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(config.n_layers):
        encoder = {
            f"W_enc_{i}": tensors["W_enc"][i].T.contiguous(),
            **{f"{name}_{i}": tensors[name][i].contiguous() for name in ("b_enc", "b_dec", "threshold")},
        }
        save_tensors(folder / f"W_enc_{i}.safetensors", encoder)
        save_tensors(folder / f"W_dec_{i}.safetensors", {f"W_dec_{i}": tensors[f"W_dec_{i}"].contiguous()})
    stated = {
        "model_name": config.model_name,
        "model_kind": "cross_layer_transcoder",
        "feature_input_hook": str(config.point(0)).partition("blocks.0.")[2],
        "feature_output_hook": str(config.point_out(0)).partition("blocks.0.")[2],
        "trained": dict(facts),
    }
    # What JSON writes on one line is YAML too.
    lines = "".join(f"{key}: {json.dumps(value)}\n" for key, value in stated.items())
    (folder / "config.yaml").write_text(lines, "utf-8")
    return folder


def saelens_config(config: SAEConfig, dtype: str, trained: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What cfg.json holds."""
    metadata: dict[str, Any] = {
        **(config.extras or {}),
        "sae_lens_version": SAELENS_VERSION,
        "model_name": config.model_name,
        "hook_name": config.hook_name,
        "prepend_bos": config.prepend_bos,
        **({"hook_name_out": config.hook_out} if config.hook_out else {}),
        **({"context_size": config.context_size} if config.context_size else {}),
        **({"l0": config.published_l0} if config.published_l0 is not None else {}),
        **({"trained": dict(trained)} if trained else {}),
    }
    own = dict(metadata.get("undersong") or {})
    if config.grain != "token":
        own |= {"grain": config.grain, "prior_tokens": config.prior_tokens}
    if own:
        metadata["undersong"] = own
    return {
        "architecture": config.architecture,
        "d_in": config.d_in,
        "d_sae": config.d_sae,
        **({"d_out": config.d_out} if config.d_out is not None else {}),
        "dtype": dtype,
        "device": "cpu",
        "apply_b_dec_to_input": config.apply_b_dec_to_input,
        "normalize_activations": config.normalization,
        # There, what attention's heads put out has an axis for the head.
        "reshape_activations": "hook_z" if config.point.site == "attn_z" else "none",
        **({"k": config.k} if config.k is not None else {}),
        **({"rescale_acts_by_decoder_norm": config.rescale_acts_by_decoder_norm} if config.k is not None else {}),
        "metadata": metadata,
    }
