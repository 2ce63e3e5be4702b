from __future__ import annotations

import pytest

from undersong.errors import WeightsFormat
from undersong.model.hook_points import HookPoint, parse


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("blocks.3.hook_resid_post", 3),
        ("blocks.12.hook_resid_pre", 11),
        ("model.layers.3", 3),
        ("transformer.h.0", 0),
        ("gpt_neox.layers.5", 5),
        ("model.decoder.layers.7", 7),
        ("layers.2", 2),
    ],
)
def test_a_residual_stream_is_known_by_its_usual_names(name: str, layer: int) -> None:
    assert parse(name) == HookPoint(layer, "resid_post")


@pytest.mark.parametrize(
    "name",
    [
        "blocks.3.hook_mlp_out",
        "blocks.0.hook_resid_pre",
        "blocks.3.attn.hook_z",
        "model.layers.3.mlp",
        "",
        "blocks.x.hook_resid_post",
    ],
)
def test_another_site_is_refused_and_what_is_supported_is_named(name: str) -> None:
    with pytest.raises(WeightsFormat, match=r"expected blocks\.N\.hook_resid_post") as refused:
        parse(name)
    assert repr(name) in refused.value.message
