"""GPT-NeoX, Pythia: layer norms, positions that turn a part of each head, attention beside the MLP or before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn import functional as F

from undersong.model.decoding.decoder import Block, Decoder
from undersong.model.decoding.parts import Rotations, layer_norm, projection, projection_onto, rotate
from undersong.model.language_model import LanguageModel


def build(model: LanguageModel) -> Decoder | None:
    """None for a variant that is not written down here."""
    network: Any = model.network
    body, config = network.gpt_neox, network.config
    if (config.rope_parameters or {}).get("rope_type", "default") != "default":
        return None
    weight = body.embed_in.weight
    rotations = Rotations(body.rotary_emb, model.context, body.layers[0].attention.head_size, weight)
    norm, head = layer_norm(body.final_layer_norm), projection(network.get_output_embeddings())
    blocks = tuple(_block(layer, block, config) for layer, block in enumerate(body.layers))

    def embed(ids: Tensor, position: int) -> Tensor:
        return F.embedding(ids, weight)

    return Decoder(embed, rotations.__getitem__, blocks, lambda hidden: head(norm(hidden)))


def _block(layer: int, block: Any, config: Any) -> Block:
    up, down = projection(block.mlp.dense_h_to_4h), projection_onto(block.mlp.dense_4h_to_h)
    activation = block.mlp.act.forward
    return Block(
        layer=layer,
        norm=layer_norm(block.input_layernorm),
        project=projection(block.attention.query_key_value),
        heads=_heads(config.num_attention_heads),
        attended=projection_onto(block.attention.dense),
        mlp_norm=layer_norm(block.post_attention_layernorm),
        mlp=lambda x, stream: down(activation(up(x)), stream),
        scale=block.attention.scaling,
        side_by_side=bool(config.use_parallel_residual),
    )


def _heads(n_heads: int) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]]:
    def heads(projected: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # Head by head, each with its query, key and value.
        query, keys, values = projected.view(projected.shape[0], n_heads, 3, -1).unbind(2)
        return rotate(query, rotation), rotate(keys, rotation), values

    return heads
