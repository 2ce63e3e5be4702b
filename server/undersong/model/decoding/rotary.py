"""Llama, Mistral, Qwen-2, Qwen-3, Gemma, Gemma-2: RMS norms, rotary positions, grouped queries, gated MLPs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from undersong.model.decoding.decoder import Block, Decoder
from undersong.model.decoding.parts import (
    Norm,
    Onto,
    Rotations,
    Step,
    normed_projection,
    projection,
    projection_onto,
    rms_norm,
    rotate,
)
from undersong.model.language_model import LanguageModel

# Rotations that depend on the position alone, not on how long the text has become.
_FIXED = ("default", "linear", "llama3")
_ATTENTION = {"full_attention", "sliding_attention"}


def build(model: LanguageModel) -> Decoder | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.model, network.config
    rotation = (config.rope_parameters or {}).get("rope_type", "default")
    if rotation not in _FIXED or not {*(getattr(config, "layer_types", None) or ())} <= _ATTENTION:
        return None
    is_gemma = config.model_type.startswith("gemma")
    blocks = tuple(_block(layer, block, config, is_gemma) for layer, block in enumerate(body.layers))
    rotations = Rotations(body.rotary_emb, model.context, body.layers[0].self_attn.head_dim, body.embed_tokens.weight)
    norm, head = rms_norm(body.norm, is_gemma), projection(network.lm_head)
    embeddings = body.embed_tokens
    weight, cap = embeddings.weight, getattr(config, "final_logit_softcapping", None)
    scale = getattr(embeddings, "embed_scale", None)

    def embed(ids: Tensor, position: int) -> Tensor:
        hidden = F.embedding(ids, weight)
        return hidden if scale is None else hidden * scale.to(hidden.dtype)

    def logits(hidden: Tensor) -> Tensor:
        found = head(norm(hidden))
        return found if cap is None else torch.tanh(found / cap) * cap

    return Decoder(embed, rotations.__getitem__, blocks, logits)


def _block(layer: int, block: Any, config: Any, is_gemma: bool) -> Block:
    attention, mlp = block.self_attn, block.mlp

    def norm(name: str) -> Norm | None:
        module = getattr(block, name, None)
        return None if module is None else rms_norm(module, is_gemma)

    before_mlp = norm("pre_feedforward_layernorm")
    # Gemma-2's norm of that name follows attention, the others' comes before the MLP.
    after = norm("post_attention_layernorm") if before_mlp else None
    before_mlp = before_mlp or rms_norm(block.post_attention_layernorm, is_gemma)
    mlp_norm, both = normed_projection(before_mlp, mlp.gate_proj, mlp.up_proj)
    first, project = normed_projection(
        rms_norm(block.input_layernorm, is_gemma), attention.q_proj, attention.k_proj, attention.v_proj
    )
    return Block(
        layer=layer,
        norm=first,
        project=project,
        heads=_heads(attention, config),
        attended=_onto(attention.o_proj, after),
        mlp_norm=mlp_norm,
        mlp=_gated(both, _onto(mlp.down_proj, norm("post_feedforward_layernorm")), mlp.act_fn.forward),
        scale=float(attention.scaling),
        softcap=getattr(attention, "attn_logit_softcapping", None),
        window=_window(config, layer),
    )


def _window(config: Any, layer: int) -> int | None:
    """How many tokens a block's attention sees; None: all."""
    types = getattr(config, "layer_types", None)
    slides = types is None or types[layer] == "sliding_attention"
    return getattr(config, "sliding_window", None) if slides else None


def _heads(attention: Any, config: Any) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    n_heads, n_kv, width = config.num_attention_heads, config.num_key_value_heads, attention.head_dim
    turning = n_heads + n_kv
    q_norm, k_norm = (
        rms_norm(module) if (module := getattr(attention, name, None)) is not None else None
        for name in ("q_norm", "k_norm")
    )

    def heads(projected: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        found = projected.view(-1, turning + n_kv, width)
        turned = found.narrow(1, 0, turning)
        if q_norm is not None and k_norm is not None:
            turned = torch.cat([q_norm(turned[:, :n_heads]), k_norm(turned[:, n_heads:])], dim=1)
        turned = rotate(turned, rotation)
        return turned.narrow(1, 0, n_heads), turned.narrow(1, n_heads, n_kv), found.narrow(1, turning, n_kv)

    return heads


def _gated(both: Step, down: Onto, activation: Step) -> Onto:
    def run(x: Tensor, stream: Tensor) -> Tensor:
        gate, up = both(x).chunk(2, dim=-1)
        return down(activation(gate) * up, stream)

    return run


def _onto(module: Any, norm: Step | None) -> Onto:
    if norm is None:
        return projection_onto(module)
    project = projection(module)
    return lambda x, stream: stream + norm(project(x))
