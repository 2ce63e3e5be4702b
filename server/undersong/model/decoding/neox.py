"""GPT-NeoX, Pythia: layer norms, positions that turn a part of each head, attention beside the MLP or before it."""

from __future__ import annotations

from typing import Any

from undersong.model.decoding.plan import BlockPlan, Plan, layer_norm
from undersong.model.language_model import LanguageModel


def plan(model: LanguageModel) -> Plan | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.gpt_neox, network.config
    if (config.rope_parameters or {}).get("rope_type", "default") != "default":
        return None
    first = body.layers[0]
    return Plan(
        tokens=body.embed_in.weight,
        blocks=tuple(_block(block) for block in body.layers),
        norm=layer_norm(body.final_layer_norm),
        head=network.get_output_embeddings(),
        n_heads=config.num_attention_heads,
        n_kv_heads=config.num_attention_heads,
        d_head=first.attention.head_size,
        d_mlp=config.intermediate_size,
        scale=first.attention.scaling,
        activation=first.mlp.act.forward,
        activation_name=config.hidden_act,
        rotary=body.rotary_emb,
        side_by_side=bool(config.use_parallel_residual),
    )


def _block(block: Any) -> BlockPlan:
    return BlockPlan(
        norm=layer_norm(block.input_layernorm),
        project=(block.attention.query_key_value,),
        out=block.attention.dense,
        mlp_norm=layer_norm(block.post_attention_layernorm),
        up=(block.mlp.dense_h_to_4h,),
        down=block.mlp.dense_4h_to_h,
        by_head=True,
    )
