from __future__ import annotations

import pytest

from undersong.errors import WeightsFormat
from undersong.hook_points import SITES, HookPoint, parse


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("blocks.3.hook_resid_post", HookPoint(3)),
        ("blocks.12.hook_resid_pre", HookPoint(11)),
        ("blocks.0.hook_resid_pre", HookPoint(0, "resid_pre")),
        ("blocks.3.hook_mlp_out", HookPoint(3, "mlp_out")),
        ("blocks.3.mlp.hook_out", HookPoint(3, "mlp_out_raw")),
        ("blocks.3.attn.hook_z", HookPoint(3, "attn_z")),
        ("blocks.3.ln2.hook_normalized", HookPoint(3, "mlp_in_normalized")),
        ("blocks.3.mlp.hook_in", HookPoint(3, "mlp_in")),
        ("blocks.3.hook_mlp_in", HookPoint(3, "mlp_in_raw")),
        ("blocks.3.mlp.hook_post", HookPoint(3, "mlp_post")),
        ("hook_embed", HookPoint(0, "embed")),
        ("model.layers.3", HookPoint(3)),
        ("model.layers.3.output", HookPoint(3)),
        ("model.layers.3.input", HookPoint(2)),
        ("transformer.h.0", HookPoint(0)),
        ("gpt_neox.layers.5", HookPoint(5)),
        ("model.decoder.layers.7", HookPoint(7)),
        ("layers.2", HookPoint(2)),
        ("h.2.mlp", HookPoint(2, "mlp_out_raw")),
        ("layers.2.mlp.input", HookPoint(2, "mlp_in")),
        ("model.layers.4.self_attn.o_proj.input", HookPoint(4, "attn_z")),
        ("gpt_neox.layers.4.attention.dense.input", HookPoint(4, "attn_z")),
        ("transformer.h.4.attn", HookPoint(4, "attn_out_raw")),
        ("model.layers.4.pre_feedforward_layernorm.output", HookPoint(4, "mlp_in")),
        ("model.layers.4.post_feedforward_layernorm.output", HookPoint(4, "mlp_out")),
        ("model.layers.4.mlp.down_proj.input", HookPoint(4, "mlp_post")),
        ("model.embed_tokens", HookPoint(0, "embed")),
        ("transformer.wte", HookPoint(0, "embed")),
    ],
)
def test_a_place_is_known_by_its_usual_names(name: str, point: HookPoint) -> None:
    assert parse(name) == point


@pytest.mark.parametrize("site", SITES)
def test_a_point_is_written_by_its_name_in_transformer_lens(site) -> None:
    point = HookPoint(0 if site in ("embed", "resid_pre") else 7, site)
    assert parse(str(point)) == point


@pytest.mark.parametrize(
    "name",
    ["", "blocks.x.hook_resid_post", "blocks.3.hook_scale", "model.layers.3.rotary", "layers.3.mlp.gate", "blocks.3"],
)
def test_another_name_is_refused_and_what_is_known_is_named(name: str) -> None:
    with pytest.raises(WeightsFormat, match=r"expected a TransformerLens name such as blocks\.3") as refused:
        parse(name)
    assert repr(name) in refused.value.message


def test_a_norm_that_stands_before_the_mlp_here_and_after_attention_there_is_refused() -> None:
    with pytest.raises(WeightsFormat, match=r"expected blocks.4.mlp.hook_in \(Llama\) or blocks.4.hook_attn_out"):
        parse("model.layers.4.post_attention_layernorm.output")
