"""Hook points on tiny random models, against what transformers and the modules themselves give."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Gemma3TextConfig, GPTNeoXConfig, GraniteConfig, MistralConfig, Olmo2Config, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.model.text import some_ids
from tests.support.tiny_models import D_MODEL, N_LAYERS, tiny_network, tiny_tokenizer
from undersong.errors import WeightsFormat
from undersong.hook_points import SITES, HookPoint
from undersong.model.language_model import LanguageModel, describe

WIDE: dict[str, Any] = {
    "vocab_size": 272, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2, "hidden_size": D_MODEL,
    "intermediate_size": 48, "num_hidden_layers": N_LAYERS, "num_attention_heads": 4, "max_position_embeddings": 128,
}  # fmt: skip
# What the engine's own tests do not run on.
MORE: dict[str, Any] = {
    "qwen3": lambda: Qwen3Config(**WIDE, num_key_value_heads=2, head_dim=12, pad_token_id=0),
    "mistral": lambda: MistralConfig(**WIDE, num_key_value_heads=2, pad_token_id=0),
    "gemma3": lambda: Gemma3TextConfig(
        **WIDE, num_key_value_heads=2, head_dim=8, sliding_window=12, query_pre_attn_scalar=8, pad_token_id=0
    ),
    "olmo2": lambda: Olmo2Config(**WIDE, num_key_value_heads=2, pad_token_id=0),
    "gpt-neox, one after the other": lambda: GPTNeoXConfig(**WIDE, use_parallel_residual=False),
}
# Architecture -> within a block: attention's last projection, the MLP's last, the norms after attention, before and
# after the MLP; and what is added to a norm's weight to be its gain.
PATHS: dict[str, tuple[str, str, str | None, str | None, str | None, float]] = {
    "llama": ("self_attn.o_proj", "mlp.down_proj", None, "post_attention_layernorm", None, 0),
    "mistral": ("self_attn.o_proj", "mlp.down_proj", None, "post_attention_layernorm", None, 0),
    "qwen2": ("self_attn.o_proj", "mlp.down_proj", None, "post_attention_layernorm", None, 0),
    "qwen3": ("self_attn.o_proj", "mlp.down_proj", None, "post_attention_layernorm", None, 0),
    "gpt2": ("attn.c_proj", "mlp.c_proj", None, "ln_2", None, 0),
    "gpt-neox": ("attention.dense", "mlp.dense_4h_to_h", None, "post_attention_layernorm", None, 0),
    "gpt-neox, one after the other":
        ("attention.dense", "mlp.dense_4h_to_h", None, "post_attention_layernorm", None, 0),
    "gemma2":
        ("self_attn.o_proj", "mlp.down_proj", "post_attention_layernorm", "pre_feedforward_layernorm",
         "post_feedforward_layernorm", 1),
    "gemma3":
        ("self_attn.o_proj", "mlp.down_proj", "post_attention_layernorm", "pre_feedforward_layernorm",
         "post_feedforward_layernorm", 1),
    "olmo2": ("self_attn.o_proj", "mlp.down_proj", "post_attention_layernorm", None, "post_feedforward_layernorm", 0),
}  # fmt: skip
LAYER = 2


@cache
def model_of(name: str) -> LanguageModel:
    """Norms start as the identity: here they have gains, so that which side of one is read makes a difference."""
    if name in MORE:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = AutoModelForCausalLM.from_config(MORE[name](), dtype=torch.float32).eval()
    else:
        network = tiny_network(name)
    random = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for path, parameter in network.named_parameters():
            if "norm" in path or ".ln_" in path:
                parameter += 0.5 * torch.randn(parameter.shape, generator=random)
    return describe(network, tiny_tokenizer(), name)


@pytest.fixture(params=PATHS)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return model_of(request.param)


def run(model: LanguageModel) -> Any:
    with torch.inference_mode():
        return model.network(input_ids=model.tensor([some_ids(12)]), use_cache=False, output_hidden_states=True)


def read(model: LanguageModel, layer: int = LAYER) -> dict[str, Tensor]:
    """What passes each site of a block that the model has; `embed` and `resid_pre` of the whole model."""
    sites = model.sites
    with sites.captured([HookPoint(layer, site) for site in sites.known]) as found:
        run(model)
    return {point.site: value for point, value in found.items()}


def test_what_leaves_a_block_is_the_hidden_state_after_it_except_the_last(model: LanguageModel) -> None:
    points = [HookPoint(layer) for layer in range(N_LAYERS)]
    with model.sites.captured(points) as found:
        states = run(model).hidden_states
    for layer in range(N_LAYERS - 1):
        assert torch.equal(found[HookPoint(layer)], states[layer + 1])
    last = found[HookPoint(N_LAYERS - 1)]
    assert not torch.allclose(last, states[N_LAYERS], atol=0.1)
    norm: Any = next(module for name, module in model.body.named_children() if "norm" in name or name == "ln_f")
    torch.testing.assert_close(norm(last), states[N_LAYERS])


def test_what_enters_the_first_block_is_the_embedding_and_the_positions(model: LanguageModel) -> None:
    points = [HookPoint(0, "embed"), HookPoint(0, "resid_pre")]
    with model.sites.captured(points) as found:
        states = run(model).hidden_states
    embed, first = (found[point] for point in points)
    assert torch.equal(first, states[0])
    if model.name == "gpt2":
        positions: Any = model.body.get_submodule("wpe")
        torch.testing.assert_close(embed + positions(torch.arange(12)), first)
    else:
        assert torch.equal(embed, first)
        # Gemma scales its embeddings: what it calls an embedding is not a row of the table.
        rows = model.network.get_input_embeddings().weight[some_ids(12)][None]
        torch.testing.assert_close(embed, rows * (D_MODEL**0.5 if model.name.startswith("gemma") else 1))


def test_attention_and_mlp_add_up_to_what_the_block_adds(model: LanguageModel) -> None:
    at = read(model)
    before = read(model, LAYER - 1)["resid_post"]
    torch.testing.assert_close(before + at["attn_out"] + at["mlp_out"], at["resid_post"], atol=1e-5, rtol=1e-5)
    if "resid_mid" in at:
        torch.testing.assert_close(before + at["attn_out"], at["resid_mid"], atol=1e-5, rtol=1e-5)
    assert ("resid_mid" not in at) == (model.name == "gpt-neox")


def test_each_site_is_the_side_of_the_module_that_its_name_says(
    model: LanguageModel, same: Callable[..., None]
) -> None:
    attention_last, mlp_last, after_attention, before_mlp, after_mlp, offset = PATHS[model.name]
    block: Any = model.blocks.modules[LAYER]
    at = read(model)

    def of(path: str | None, x: Tensor) -> Tensor:
        return x if path is None else block.get_submodule(path)(x)

    with torch.inference_mode():
        same(of(attention_last, at["attn_z"]), at["attn_out_raw"])
        same(of(after_attention, at["attn_out_raw"]), at["attn_out"])
        same(of(mlp_last, at["mlp_post"]), at["mlp_out_raw"])
        same(of(after_mlp, at["mlp_out_raw"]), at["mlp_out"])
        same(block.mlp(at["mlp_in"]), at["mlp_out_raw"])
        if before_mlp is None:
            assert "mlp_in_raw" not in at and "mlp_in_normalized" not in at
            return
        norm = block.get_submodule(before_mlp)
        same(norm(at["mlp_in_raw"]), at["mlp_in"])
        gained = at["mlp_in_normalized"] * (offset + norm.weight)
        same(gained + norm.bias if isinstance(norm, nn.LayerNorm) else gained, at["mlp_in"])
    raw, after = at["mlp_in_raw"], at["mlp_in"]
    assert not torch.allclose(raw, after, atol=0.1) and not torch.allclose(at["mlp_in_normalized"], after, atol=0.1)


@pytest.mark.parametrize("site", [site for site in SITES if site != "mlp_in_normalized"])
def test_a_site_can_be_replaced_where_it_is_read(model: LanguageModel, site: Any) -> None:
    sites = model.sites
    if site not in sites.known:
        with pytest.raises(WeightsFormat, match=f"expected one of embed, .*; found {site}, which"):
            sites.place(HookPoint(LAYER, site))
        return
    layer = 0 if site in ("embed", "resid_pre") else LAYER
    plain = run(model).logits
    with sites.replaced(HookPoint(layer, site), lambda value: value.clone()):
        torch.testing.assert_close(run(model).logits, plain, atol=1e-4, rtol=1e-4)
    with sites.replaced(HookPoint(layer, site), lambda value: value + torch.linspace(-1, 1, value.shape[-1])):
        assert not torch.allclose(run(model).logits, plain, atol=1e-3)
    assert torch.equal(run(model).logits, plain)


def test_the_stream_that_was_replaced_goes_on_past_the_mlp() -> None:
    model, zeros = model_of("llama"), HookPoint(LAYER, "resid_mid")
    sites = model.sites
    after = [zeros, HookPoint(LAYER, "mlp_out"), HookPoint(LAYER)]
    with sites.replaced(zeros, torch.zeros_like), sites.captured(after) as found:
        run(model)
    assert not found[zeros].abs().max() > 1e-5
    torch.testing.assert_close(found[after[1]], found[after[2]], atol=1e-5, rtol=1e-5)


def test_what_is_inside_a_norm_can_be_read_and_not_replaced() -> None:
    replacing = model_of("llama").sites.replaced(HookPoint(1, "mlp_in_normalized"), lambda value: value)
    with ExitStack() as stack, pytest.raises(WeightsFormat, match=r"expected a site whose value is passed on"):
        stack.enter_context(replacing)


def test_sites_are_found_in_bfloat16_as_in_float32(model: LanguageModel) -> None:
    halved = copy.deepcopy(model.network).to(torch.bfloat16)
    assert describe(halved, tiny_tokenizer(), model.name).sites.known == model.sites.known


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["gpt-neox", "gpt-neox, one after the other", "llama"])
def test_attention_that_adds_next_to_nothing_is_still_seen_to_come_before_the_mlp_or_beside_it(
    name: str, dtype: torch.dtype
) -> None:
    network = copy.deepcopy(model_of(name).network)
    with torch.no_grad():
        for path, parameter in network.named_parameters():
            if "attention.dense" in path or "o_proj" in path:
                parameter *= 1e-3
    known = describe(network.to(dtype), tiny_tokenizer(), name).sites.known
    assert ("resid_mid" in known) == (name != "gpt-neox")


def test_a_block_that_scales_what_it_adds_offers_the_stream_between_blocks() -> None:
    """Granite's multiplier: what attention puts out is not what it adds."""
    config = GraniteConfig(**WIDE, num_key_value_heads=2, pad_token_id=0, residual_multiplier=0.9)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    assert describe(network, tiny_tokenizer(), "granite").sites.known == ("embed", "resid_pre", "resid_post")


@pytest.mark.parametrize("name", ["gptj", "opt"])
def test_an_architecture_that_no_layout_fits_offers_the_stream_between_blocks(name: str) -> None:
    sites = model_of(name).sites
    assert sites.known == ("embed", "resid_pre", "resid_post")
    with pytest.raises(WeightsFormat, match=r"blocks.1.hook_mlp_out: expected one of embed, resid_pre, resid_post"):
        sites.place(HookPoint(1, "mlp_out"))


def test_a_block_that_is_not_there_is_refused() -> None:
    with pytest.raises(WeightsFormat, match=f"expected a block from 0 to {N_LAYERS - 1}, found {N_LAYERS}"):
        model_of("llama").sites.place(HookPoint(N_LAYERS))


def test_hooks_are_gone_afterwards_even_after_an_error() -> None:
    model = model_of("llama")

    def hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.network.modules())

    def fail() -> None:
        assert hooks() > before
        raise RuntimeError("stop")

    before = hooks()
    with pytest.raises(RuntimeError, match=r"stop"), model.sites.captured([HookPoint(1, "mlp_in")]):
        fail()
    assert hooks() == before
