"""Small random models, a byte-level tokenizer and random SAEs, made on the spot: what engine tests run on.

Everything is seeded. Weights are larger than training starts with, so that attention, features and next tokens vary.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    FalconH1Config,
    Gemma2Config,
    GPT2Config,
    GPTJConfig,
    GPTNeoXConfig,
    Lfm2Config,
    LlamaConfig,
    NemotronHConfig,
    OPTConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3NextConfig,
)
from transformers.models.auto.modeling_auto import AutoModelForCausalLM
from transformers.utils import logging

logging.disable_progress_bar()

D_MODEL = 32
N_LAYERS = 4
CONTEXT = 128
VOCAB = 272
END = "<|endoftext|>"

_COMMON: dict[str, Any] = {
    "vocab_size": VOCAB,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "initializer_range": 0.2,
}
_WIDE: dict[str, Any] = {
    **_COMMON,
    "hidden_size": D_MODEL,
    "intermediate_size": 48,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}

_MAMBA: dict[str, Any] = {"mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 16}

# Name -> configuration. gemma2 has sliding-window layers narrower than the texts of the tests, and soft-capped logits;
# gptj's blocks return tuples; opt's lie deeper in the network and its positions are offset.
# Those of RECURRENT have states: qwen3-next's attends in its last block only, falcon-h1's in all beside its states,
# lfm2 has convolutions alone, nemotron-h has a block that keeps nothing.
CONFIGS: dict[str, Any] = {
    "llama": lambda: LlamaConfig(**_WIDE, num_key_value_heads=2),
    "gpt2": lambda: GPT2Config(**_COMMON, n_embd=D_MODEL, n_layer=N_LAYERS, n_head=4, n_positions=CONTEXT),
    "gpt-neox": lambda: GPTNeoXConfig(**_WIDE),
    "gemma2": lambda: Gemma2Config(
        **_WIDE, num_key_value_heads=2, head_dim=8, sliding_window=12, query_pre_attn_scalar=8, pad_token_id=0
    ),
    "qwen2": lambda: Qwen2Config(**_WIDE, num_key_value_heads=2),
    "gptj": lambda: GPTJConfig(
        **_COMMON, n_embd=D_MODEL, n_layer=N_LAYERS, n_head=4, n_positions=CONTEXT, rotary_dim=4
    ),
    "opt": lambda: OPTConfig(
        **_COMMON,
        hidden_size=D_MODEL,
        word_embed_proj_dim=D_MODEL,
        ffn_dim=48,
        num_hidden_layers=N_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        init_std=0.2,
        pad_token_id=0,
    ),
    "qwen3-next": lambda: Qwen3NextConfig(
        **_WIDE,
        num_key_value_heads=2,
        head_dim=8,
        layer_types=["linear_attention", "linear_attention", "linear_attention", "full_attention"],
        linear_conv_kernel_dim=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        num_experts=0,
    ),
    "falcon-h1": lambda: FalconH1Config(
        **_WIDE, **_MAMBA, num_key_value_heads=2, head_dim=8, mamba_d_ssm=32, mamba_n_heads=4, pad_token_id=0
    ),
    "lfm2": lambda: Lfm2Config(
        **_WIDE, num_key_value_heads=2, layer_types=["conv", "conv", "full_attention", "conv"], pad_token_id=0
    ),
    "nemotron-h": lambda: NemotronHConfig(
        **_WIDE,
        num_key_value_heads=2,
        head_dim=8,
        layers_block_type=["mamba", "mlp", "attention", "mamba"],
        mamba_num_heads=8,
        mamba_head_dim=8,
        n_groups=1,
        ssm_state_size=8,
        chunk_size=16,
        # transformers holds steps of time to this only where it reads several tokens at once.
        time_step_min=1e-9,
        pad_token_id=0,
    ),
}
ARCHITECTURES = tuple(CONFIGS)
RECURRENT = ("qwen3-next", "falcon-h1", "lfm2", "nemotron-h")


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, a few merges (" the", "ing"), and END as id 0."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("i", "n"), ("in", "g"), ("e", "r")]
    words = [END, *alphabet, *("".join(pair) for pair in merges)]
    tokenizer = Tokenizer(models.BPE(vocab={word: index for index, word in enumerate(words)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(END, special=True)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, pad_token=END, model_max_length=CONTEXT
    )


def tiny_network(architecture: str = "llama", seed: int = 0) -> PreTrainedModel:
    """A random causal model of CONFIGS, float32, CPU."""
    return random_network(CONFIGS[architecture](), seed)


def random_network(config: Any, seed: int = 0) -> PreTrainedModel:
    """A random causal model, float32, CPU. At each token recurrent states forget a tenth of what they hold, and take in
    enough: as transformers draws some of them, they would forget nearly all or take in nearly nothing."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    for name, parameter in network.named_parameters():
        if name.endswith(("A_log", "dt_bias")):
            torch.nn.init.constant_(parameter, -2.0 if name.endswith("A_log") else 0.0)
    return network


def sae_tensors(architecture: str, d_in: int, d_sae: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights in canonical form under SAELens's names; decoder rows have unit length."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=random)

    decoder = torch.nn.functional.normalize(normal(d_sae, d_in), dim=1)
    tensors = {
        "W_dec": decoder,
        "W_enc": decoder.T.contiguous() + 0.1 * normal(d_in, d_sae),
        "b_dec": normal(d_in) * 0.1,
    }
    if architecture == "gated":
        extra = {"b_gate": normal(d_sae) * 0.2, "b_mag": normal(d_sae) * 0.2, "r_mag": normal(d_sae) * 0.2}
    else:
        extra = {"b_enc": normal(d_sae) * 0.2}
    if architecture == "jumprelu":
        extra["threshold"] = normal(d_sae).abs()
    return {**tensors, **extra}


def write_sae(
    folder: Path,
    *,
    architecture: str = "topk",
    layer: int = 1,
    d_in: int = D_MODEL,
    d_sae: int = 64,
    k: int = 8,
    grain: str = "token",
    seed: int = 0,
    **config: Any,
) -> Path:
    """A random SAE in SAELens's format (version 6) in `folder`; `config` goes over the keys of cfg.json."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file(sae_tensors(architecture, d_in, d_sae, seed), folder / "sae_weights.safetensors")
    metadata: dict[str, Any] = {
        "model_name": "tiny",
        "hook_name": f"blocks.{layer}.hook_resid_post",
        "prepend_bos": True,
    }
    if grain != "token":
        metadata["undersong"] = {"grain": grain}
    stated = {
        "architecture": architecture,
        "d_in": d_in,
        "d_sae": d_sae,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        **({"k": k, "rescale_acts_by_decoder_norm": False} if architecture == "topk" else {}),
        "metadata": metadata,
        **config,
    }
    (folder / "cfg.json").write_text(json.dumps(stated), "utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class TinyWeights:
    """Folders that `load_model` and `load_sae` open. SAEs by id: "1" and "2" (token, topk), "p2" (passage)."""

    model: Path
    saes: dict[str, Path]


def write_model(folder: Path, architecture: str = "llama", seed: int = 0) -> Path:
    """A tiny model with its tokenizer, as transformers saves them."""
    tiny_network(architecture, seed).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return folder


def write_weights(folder: Path, architecture: str = "llama", seed: int = 0) -> TinyWeights:
    """A tiny model and three SAEs under `folder`: model/, saes/1, saes/2, saes/p2."""
    saes = {
        "1": write_sae(folder / "saes/1", layer=1, seed=seed + 1),
        "2": write_sae(folder / "saes/2", layer=2, seed=seed + 2),
        "p2": write_sae(folder / "saes/p2", layer=2, k=4, grain="passage", seed=seed + 3),
    }
    return TinyWeights(write_model(folder / "model", architecture, seed), saes)
