"""Kissane and others' attention SAEs of GPT-2 small: `NAME.pt` and `NAME_cfg.json` {act_size, dict_size, act_name}.

Canonical names and orientation; ReLU; b_dec subtracted; the heads' results side by side (sae_lens `connor_rob_hook_z`).
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from undersong.hook_points import parse
from undersong.sae.config import Assumption, SAEConfig
from undersong.sae.formats.files import read_all, read_json, renamed, size

EXPECTS = "NAME.pt and NAME_cfg.json"


def matches(path: Path) -> bool:
    return path.suffix == ".pt" and path.is_file() and _config(path).is_file()


def read_config(path: Path) -> SAEConfig:
    file = _config(path)
    stated = read_json(file)
    name = str(stated.get("act_name"))
    return SAEConfig(
        architecture="standard",
        d_in=size(file, stated, "act_size"),
        d_sae=size(file, stated, "dict_size"),
        hook_name=name,
        hook_layer=parse(name).layer,
        context_size=128,
        model_name="gpt2",
        assumptions=(
            Assumption("model", "gpt2", "the only one that these were published for"),
            Assumption("b_dec", "subtracted before encoding", "as SAELens loads them"),
            Assumption("normalisation", "none", "as SAELens loads them"),
            Assumption("BOS", "prepended", "as SAELens loads them"),
        ),
    )


def read_weights(path: Path, config: SAEConfig) -> dict[str, Tensor]:
    return renamed(path, read_all(path), {name: name for name in ("W_enc", "W_dec", "b_enc", "b_dec")})


def _config(path: Path) -> Path:
    return path.with_name(f"{path.stem}_cfg.json")
