"""SAEs at each site of each architecture, and what they read and add there by plain hooks and rules written out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.support.tiny_models import D_MODEL, sae_tensors
from undersong.engine.loading import Loaded, load
from undersong.hook_points import HookPoint, Site
from undersong.sae.config import SAEConfig
from undersong.sae.writing import write_saelens

D_SAE = 64
PARAGRAPHS = ("The sea was grey. She looked at it for a while.", "He said nothing; the rain had stopped.")

# Architecture -> site -> the module in a block and its side, as transformers names them.
MODULES: dict[str, dict[Site, tuple[str, str]]] = {
    name: {
        "resid_pre": ("", "input"),
        "attn_out": (attention, "output"),
        "mlp_in": ("mlp", "input"),
        "mlp_out": (mlp, "output"),
        "resid_post": ("", "output"),
        **({"resid_mid": (norm, "input")} if norm else {}),
    }
    for name, attention, norm, mlp in (
        ("llama", "self_attn", "post_attention_layernorm", "mlp"),
        ("qwen2", "self_attn", "post_attention_layernorm", "mlp"),
        ("gpt2", "attn", "ln_2", "mlp"),
        ("gpt-neox", "attention", None, "mlp"),
        ("gemma2", "post_attention_layernorm", "pre_feedforward_layernorm", "post_feedforward_layernorm"),
    )
}
STANDARD = SAEConfig("standard", D_MODEL, D_SAE, "blocks.2.hook_resid_post", 2)


def at(name: str, **changes: Any) -> SAEConfig:
    return replace(STANDARD, hook_name=name, hook_layer=int(name.split(".")[1]), **changes)


TRANSCODER = at(
    "blocks.1.mlp.hook_in", architecture="transcoder", d_out=D_MODEL, hook_out="blocks.1.hook_mlp_out",
    apply_b_dec_to_input=False,
)  # fmt: skip
# By the id that is given to each.
SAES: dict[str, SAEConfig] = {
    "2": STANDARD,
    "0-resid_pre": at("blocks.0.hook_resid_pre"),
    "1-resid_mid": at("blocks.1.hook_resid_mid"),
    "1-attn_out": at("blocks.1.hook_attn_out"),
    "2-mlp_out": at("blocks.2.hook_mlp_out"),
    "1": at("blocks.1.hook_resid_post", normalization="layer_norm"),
    "2-attn_out": at("blocks.2.hook_attn_out", normalization="constant_norm_rescale"),
    "1-mlp_in-mlp_out": TRANSCODER,
    "p2-mlp_out": at("blocks.2.hook_mlp_out", grain="passage"),
}


def saes_of(architecture: str) -> tuple[str, ...]:
    return tuple(name for name, config in SAES.items() if config.point.site in MODULES[architecture])


def written(folder: Path, config: SAEConfig, seed: int = 0) -> Path:
    return write_saelens(folder, config, sae_tensors("standard", D_MODEL, D_SAE, seed))


def opening(model: Path, *saes: Path) -> Loaded:
    *_, loaded = load(str(model), tuple(map(str, saes)), "cpu", lambda *said: None)
    assert loaded is not None
    return loaded


def some_ids(loaded: Loaded) -> list[int]:
    return [0, *loaded.encode(" ".join(PARAGRAPHS))[0]]


# --- the slow way --------------------------------------------------------------------------------------------------


def module_at(loaded: Loaded, point: HookPoint) -> tuple[Any, str]:
    path, side = MODULES[architecture_of(loaded)][point.site]
    return loaded.model.blocks.modules[point.layer].get_submodule(path), side


def architecture_of(loaded: Loaded) -> str:
    return loaded.model.network.config.model_type.replace("gpt_neox", "gpt-neox")


def first(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else value[0]


@contextmanager
def seen(loaded: Loaded, point: HookPoint) -> Iterator[list[Tensor]]:
    """What passes at `point`, by one plain hook."""
    module, side = module_at(loaded, point)
    found: list[Tensor] = []

    def before(_module: Any, args: Any, kwargs: Any) -> None:
        found[:] = [args[0] if args else kwargs["hidden_states"]]

    def after(_module: Any, _args: Any, output: Any) -> None:
        found[:] = [first(output)]

    if side == "input":
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def adding(loaded: Loaded, point: HookPoint, delta: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """`delta` of what passes at `point` is added there, by plain hooks."""
    with ExitStack() as stack:
        if point.site == "resid_mid":
            # No module puts it out: what attention adds is moved instead.
            entered = stack.enter_context(seen(loaded, HookPoint(point.layer, "resid_pre")))
            module, side = module_at(loaded, HookPoint(point.layer, "attn_out"))
        else:
            module, side = module_at(loaded, point)
            entered = [torch.zeros(())]

        def before(_module: Any, args: Any, kwargs: Any) -> Any:
            moved = [value + delta(value) for value in args[:1]]
            return (*moved, *args[1:]), kwargs

        def after(_module: Any, _args: Any, output: Any) -> Any:
            moved = first(output) + delta(entered[0] + first(output))
            return moved if isinstance(output, Tensor) else (moved, *output[1:])

        if side == "input":
            stack.callback(module.register_forward_pre_hook(before, with_kwargs=True).remove)
        else:
            stack.callback(module.register_forward_hook(after).remove)
        yield


def whole(loaded: Loaded, ids: list[int]) -> Tensor:
    """Logits [n, vocab] of the plain network."""
    with torch.no_grad():
        return loaded.model.network(input_ids=torch.tensor([ids]), use_cache=False).logits[0]


def slow_read(loaded: Loaded, name: str, ids: list[int]) -> Tensor:
    """[n, d_in] at the place where the SAE reads."""
    with seen(loaded, SAES[name].point) as found:
        whole(loaded, ids)
    return found[0][0]


def size_of(name: str, x: Tensor) -> Tensor:
    """[..., 1]: by what the SAE's units are multiplied to be the model's."""
    if SAES[name].normalization == "layer_norm":
        return (x - x.mean(-1, keepdim=True)).pow(2).sum(-1, keepdim=True).div(D_MODEL - 1).sqrt()
    if SAES[name].normalization == "constant_norm_rescale":
        return x.pow(2).mean(-1, keepdim=True).sqrt()
    return torch.ones_like(x[..., :1])


def slow_encode(loaded: Loaded, name: str, x: Tensor) -> Tensor:
    """The rule of a standard SAE: ReLU((x / size - b_dec) W_enc + b_enc), x centred first for layer norm."""
    sae: Any = loaded.dictionaries[name].sae
    centred = x - x.mean(-1, keepdim=True) if SAES[name].normalization == "layer_norm" else x
    b_dec = 0 if SAES[name].hook_out else sae.b_dec
    return ((centred / size_of(name, x) - b_dec) @ sae.W_enc + sae.b_enc).relu()
