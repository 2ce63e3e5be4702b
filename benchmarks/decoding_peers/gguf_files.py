"""A Llama or GPT-2 model of transformers as a GGUF file: the same weights, no vocabulary.

llama.cpp turns the two halves of a rotary head as neighbouring pairs: Llama's queries and keys are written with their
rows in that order. GPT-2's Conv1D weights are stored the other way round. Norms, biases and positions stay float32.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

_TYPES = {
    "float32": (torch.float32, gguf.LlamaFileType.ALL_F32),
    "float16": (torch.float16, gguf.LlamaFileType.MOSTLY_F16),
}

_LLAMA = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
}  # fmt: skip
_GPT2 = {
    "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
    "ln_1": "attn_norm", "ln_2": "ffn_norm",
}  # fmt: skip


def write_gguf(folder: Path, path: Path, precision: str) -> None:
    """`folder`: as transformers writes it. ValueError for another architecture."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    kinds: Mapping[str, tuple[Callable[..., None], Callable[..., Iterator[tuple[str, Tensor]]]]] = {
        "llama": (_llama_facts, llama_tensors),
        "gpt2": (_gpt2_facts, gpt2_tensors),
    }
    kind = config["model_type"]
    if kind not in kinds:
        raise ValueError(f"{folder}: expected one of {', '.join(kinds)}, found {kind}")
    facts, tensors = kinds[kind]
    dtype, file_type = _TYPES[precision]
    writer = gguf.GGUFWriter(path, kind)
    facts(writer, config)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(file_type)
    for name, tensor in tensors(load_file(folder / "model.safetensors"), config):
        whole = tensor.ndim == 1 or name.startswith("position_embd")
        writer.add_tensor(name, _array(tensor, torch.float32 if whole else dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def llama_tensors(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """(name in GGUF, what is stored there), float32 or as the file has it."""
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for name, tensor in weights.items():
        if name == "model.embed_tokens.weight":
            yield "token_embd.weight", tensor
        elif name == "model.norm.weight":
            yield "output_norm.weight", tensor
        elif name == "lm_head.weight":
            yield "output.weight", tensor
        else:
            _, _, block, rest = name.split(".", 3)
            part = _LLAMA[rest.removesuffix(".weight")]
            yield f"blk.{block}.{part}.weight", paired(tensor, heads[part]) if part in heads else tensor


def gpt2_tensors(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """As `llama_tensors`."""
    single = {
        "wte.weight": "token_embd.weight", "wpe.weight": "position_embd.weight", "lm_head.weight": "output.weight",
        "ln_f.weight": "output_norm.weight", "ln_f.bias": "output_norm.bias",
    }  # fmt: skip
    for name, tensor in weights.items():
        short = name.removeprefix("transformer.")
        if short in single:
            yield single[short], tensor
            continue
        _, block, rest = short.split(".", 2)
        module, _, kind = rest.rpartition(".")
        turned = kind == "weight" and module.partition(".")[0] in ("attn", "mlp")
        yield f"blk.{block}.{_GPT2[module]}.{kind}", tensor.T if turned else tensor


def paired(weight: Tensor, n_heads: int) -> Tensor:
    """Rows [n_heads * d_head, d] with row i of each head's second half put behind row i of its first."""
    return weight.unflatten(0, (n_heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def _llama_facts(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _gpt2_facts(writer: gguf.GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_block_count(config["n_layer"])
    writer.add_feed_forward_length(config.get("n_inner") or 4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])


def _array(tensor: Tensor, dtype: torch.dtype) -> np.ndarray[Any, Any]:
    return tensor.to(dtype).contiguous().numpy()
