"""GPT-2: layer norms, learned positions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from undersong.model.decoding.decoder import Block, Decoder
from undersong.model.decoding.parts import layer_norm, projection, projection_onto
from undersong.model.language_model import LanguageModel


def build(model: LanguageModel) -> Decoder | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.transformer, network.config
    if config.scale_attn_by_inverse_layer_idx or config.add_cross_attention or not config.scale_attn_weights:
        return None
    tokens, positions = body.wte.weight, body.wpe.weight
    norm, head = layer_norm(body.ln_f), projection(network.lm_head)

    def embed(ids: Tensor, position: int) -> Tensor:
        return F.embedding(ids, tokens) + positions[position]

    blocks = tuple(_block(layer, block, config.n_head) for layer, block in enumerate(body.h))
    return Decoder(embed, lambda position: None, blocks, lambda hidden: head(norm(hidden)))


def _block(layer: int, block: Any, n_heads: int) -> Block:
    up, down, activation = projection(block.mlp.c_fc), projection_onto(block.mlp.c_proj), block.mlp.act.forward
    return Block(
        layer=layer,
        norm=layer_norm(block.ln_1),
        project=projection(block.attn.c_attn),
        heads=_heads(n_heads),
        attended=projection_onto(block.attn.c_proj),
        mlp_norm=layer_norm(block.ln_2),
        mlp=lambda x, stream: down(activation(up(x)), stream),
        scale=block.attn.head_dim**-0.5,
    )


def _heads(n_heads: int) -> Callable[[Tensor, None], tuple[Tensor, Tensor, Tensor]]:
    def heads(projected: Tensor, _rotation: None) -> tuple[Tensor, Tensor, Tensor]:
        query, keys, values = projected.view(projected.shape[0], 3, n_heads, -1).unbind(1)
        return query, keys, values

    return heads
