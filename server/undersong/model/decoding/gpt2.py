"""GPT-2: layer norms, learned positions."""

from __future__ import annotations

from typing import Any

from undersong.model.decoding.plan import BlockPlan, Plan, layer_norm
from undersong.model.language_model import LanguageModel


def plan(model: LanguageModel) -> Plan | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.transformer, network.config
    if config.scale_attn_by_inverse_layer_idx or config.add_cross_attention or not config.scale_attn_weights:
        return None
    width = body.h[0].attn.head_dim
    return Plan(
        tokens=body.wte.weight,
        positions=body.wpe.weight,
        blocks=tuple(_block(block) for block in body.h),
        norm=layer_norm(body.ln_f),
        head=network.lm_head,
        n_heads=config.n_head,
        n_kv_heads=config.n_head,
        d_head=width,
        d_mlp=config.n_inner or 4 * config.n_embd,
        scale=width**-0.5,
        activation=body.h[0].mlp.act.forward,
        activation_name=config.activation_function,
    )


def _block(block: Any) -> BlockPlan:
    return BlockPlan(
        norm=layer_norm(block.ln_1),
        project=(block.attn.c_attn,),
        out=block.attn.c_proj,
        mlp_norm=layer_norm(block.ln_2),
        up=(block.mlp.c_fc,),
        down=block.mlp.c_proj,
    )
