"""Llama, Mistral, Qwen-2, Qwen-3, Gemma, Gemma-2: RMS norms, rotary positions, grouped queries, gated MLPs."""

from __future__ import annotations

from typing import Any

from undersong.model.decoding.plan import BlockPlan, Norm, Plan, rms_norm
from undersong.model.language_model import LanguageModel

# Rotations that depend on the position alone, not on how long the text has become.
_FIXED = ("default", "linear", "llama3")
_ATTENTION = {"full_attention", "sliding_attention"}


def plan(model: LanguageModel) -> Plan | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.model, network.config
    rotation = (config.rope_parameters or {}).get("rope_type", "default")
    if rotation not in _FIXED or not {*(getattr(config, "layer_types", None) or ())} <= _ATTENTION:
        return None
    is_gemma = config.model_type.startswith("gemma")
    first = body.layers[0]
    scale = getattr(body.embed_tokens, "embed_scale", None)
    return Plan(
        tokens=body.embed_tokens.weight,
        embed_scale=None if scale is None else float(scale),
        blocks=tuple(_block(layer, block, config, is_gemma) for layer, block in enumerate(body.layers)),
        norm=rms_norm(body.norm, is_gemma),
        head=network.lm_head,
        n_heads=config.num_attention_heads,
        n_kv_heads=config.num_key_value_heads,
        d_head=first.self_attn.head_dim,
        d_mlp=config.intermediate_size,
        scale=float(first.self_attn.scaling),
        softcap=getattr(first.self_attn, "attn_logit_softcapping", None),
        cap=getattr(config, "final_logit_softcapping", None),
        activation=first.mlp.act_fn.forward,
        activation_name=getattr(config, "hidden_activation", None) or config.hidden_act,
        rotary=body.rotary_emb,
    )


def _block(layer: int, block: Any, config: Any, is_gemma: bool) -> BlockPlan:
    attention, mlp = block.self_attn, block.mlp

    def norm(owner: Any, name: str, plus_one: bool = is_gemma) -> Norm | None:
        module = getattr(owner, name, None)
        return None if module is None else rms_norm(module, plus_one)

    before_mlp = norm(block, "pre_feedforward_layernorm")
    # Gemma-2's norm of that name follows attention, the others' comes before the MLP.
    after = norm(block, "post_attention_layernorm") if before_mlp else None
    return BlockPlan(
        norm=rms_norm(block.input_layernorm, is_gemma),
        project=(attention.q_proj, attention.k_proj, attention.v_proj),
        q_norm=norm(attention, "q_norm", False),
        k_norm=norm(attention, "k_norm", False),
        out=attention.o_proj,
        out_norm=after,
        mlp_norm=before_mlp or rms_norm(block.post_attention_layernorm, is_gemma),
        up=(mlp.gate_proj, mlp.up_proj),
        down=mlp.down_proj,
        down_norm=norm(block, "post_feedforward_layernorm"),
        window=_window(config, layer),
    )


def _window(config: Any, layer: int) -> int | None:
    """How many tokens a block's attention sees; None: all."""
    types = getattr(config, "layer_types", None)
    slides = types is None or types[layer] == "sliding_attention"
    return getattr(config, "sliding_window", None) if slides else None
