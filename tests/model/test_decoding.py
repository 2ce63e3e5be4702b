from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Gemma2Config, GemmaConfig, GPTNeoXConfig, LlamaConfig, MistralConfig, Qwen2Config, Qwen3Config
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.model.conftest import tiny
from tests.model.text import some_ids
from tests.support.decoders import NativeDecoder, native_decoder
from tests.support.tiny_models import tiny_tokenizer
from undersong.hook_points import HookPoint
from undersong.model import decoding
from undersong.model.decoding.plain import PlainDecoder
from undersong.model.interventions import Intervention, Steering
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel, describe
from undersong.model.steps import DecoderSteps, NetworkSteps, Steps, after_window, alone

Same = Callable[[Any, Any], None]

IDS = some_ids(40)


@pytest.fixture
def same() -> Same:
    """Equal but for rounding that grows from token to token: 5e-5 of logits of some 10."""

    def check(found: Any, expected: Any) -> None:
        torch.testing.assert_close(found, expected, atol=5e-5, rtol=1e-5)

    return check


DIRECTIONS = torch.randn(2, 32, generator=torch.Generator().manual_seed(3))
SIZES: dict[str, Any] = {
    "vocab_size": 272, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "max_position_embeddings": 128, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2,
}  # fmt: skip
GROUPED: dict[str, Any] = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}

# What their families can be told to do differently.
VARIANTS: dict[str, Callable[[], Any]] = {
    "mistral, sliding": lambda: MistralConfig(**GROUPED, sliding_window=10),
    "qwen3": lambda: Qwen3Config(**GROUPED),
    "gemma": lambda: GemmaConfig(**GROUPED, pad_token_id=0),
    "gemma2, plain": lambda: Gemma2Config(
        **GROUPED, sliding_window=10, pad_token_id=0, attn_logit_softcapping=None, final_logit_softcapping=None
    ),
    "llama, wide heads, tied": lambda: LlamaConfig(**SIZES, head_dim=16, tie_word_embeddings=True),
    "llama, biases": lambda: LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True),
    "llama, stretched": lambda: LlamaConfig(
        **SIZES, rope_parameters={"rope_type": "linear", "factor": 4.0, "rope_theta": 1e4}
    ),
    "qwen2, one head": lambda: Qwen2Config(**{**SIZES, "num_attention_heads": 1, "num_key_value_heads": 1}),
    "neox, in turn": lambda: GPTNeoXConfig(**SIZES, use_parallel_residual=False),
    "neox, whole heads": lambda: GPTNeoXConfig(**SIZES, rotary_pct=1.0),
}


@cache
def variant(name: str) -> LanguageModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(VARIANTS[name](), dtype=torch.float32).eval()
    return describe(network, tiny_tokenizer(), name)


WRITTEN_DOWN = ("llama", "gpt2", "gpt-neox", "gemma2", "qwen2")
MODELS: dict[str, Callable[[], LanguageModel]] = {name: lambda name=name: tiny(name) for name in WRITTEN_DOWN} | {
    name: lambda name=name: variant(name) for name in VARIANTS
}
KINDS = ("torch", "kernels and torch", "kernels")


@cache
def by(kind: str, name: str) -> LanguageModel:
    """A model of MODELS that a decoder of that kind decodes."""
    return of(kind, copy.deepcopy(MODELS[name]().network), name)


def of(kind: str, network: Any, name: str) -> LanguageModel:
    # The kernels compute products with float16 weights only.
    model = describe(network.half().float() if kind == "kernels" else network, tiny_tokenizer(), name)
    plan = decoding.FAMILIES[network.config.model_type](model)
    assert plan is not None
    model._decoders.append(PlainDecoder(plan) if kind == "torch" else native_decoder(plan))
    assert model.decoder is not None and model.decoder.on_one_thread == (kind == "kernels")
    return model


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=MODELS)
def decoded(request: pytest.FixtureRequest, kind: str) -> LanguageModel:
    """Each model that a decoder is written down for, by each kind of decoder."""
    return by(kind, request.param)


@pytest.fixture
def llama(kind: str) -> LanguageModel:
    return by(kind, "llama")


def window_of(model: LanguageModel, n: int) -> WindowCache:
    window = WindowCache(model, (HookPoint(1),))
    window.extend(IDS[:n])
    return window


def both(
    model: LanguageModel, n: int, rows: int, interventions: Sequence[Intervention] = ()
) -> tuple[DecoderSteps, NetworkSteps]:
    """The decoder's steps after `n` tokens, and the network's own, which are the slow reference."""
    window = window_of(model, n)
    fast = after_window(model, window, n, rows)(Steering(model, interventions))
    assert isinstance(fast, DecoderSteps)
    return fast, NetworkSteps(model, window.fork(n, rows), Steering(model, interventions))


def logits_of(steps: Steps, ids: list[int]) -> torch.Tensor:
    return alone(steps.asked(ids))


def fed(rows: int, n: int, seed: int = 5) -> list[list[int]]:
    ids = some_ids(rows * n, seed)
    return [ids[step * rows : (step + 1) * rows] for step in range(n)]


@pytest.mark.parametrize("rows", [1, 3, 7])
@pytest.mark.parametrize("n", [0, 7, 30])
def test_a_decoder_gives_the_networks_logits(decoded: LanguageModel, same: Same, rows: int, n: int) -> None:
    fast, slow = both(decoded, n, rows)
    for ids in fed(rows, 16):
        same(logits_of(fast, ids), logits_of(slow, ids))
    assert fast.length == slow.length == n + 16


@pytest.mark.parametrize("architecture", ["gptj", "opt"])
def test_where_nothing_is_written_down_the_network_decodes(architecture: str) -> None:
    model = tiny(architecture)
    assert model.decoder is None
    assert isinstance(after_window(model, window_of(model, 5), 5, 2)(Steering(model, ())), NetworkSteps)


def test_what_turns_with_the_length_of_the_text_is_left_to_the_network() -> None:
    parameters = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}
    network = AutoModelForCausalLM.from_config(LlamaConfig(**SIZES, rope_parameters=parameters)).eval()
    assert describe(network, tiny_tokenizer(), "dynamic").decoder is None


def test_a_decoder_that_differs_from_its_network_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = describe(tiny("llama").network, tiny_tokenizer(), "llama")
    right = decoding.FAMILIES["llama"](model)
    assert right is not None
    wrong = replace(right, scale=2 * right.scale)
    monkeypatch.setitem(decoding.FAMILIES, "llama", lambda _model: wrong)
    assert model.decoder is None
    assert [record.message.split()[2] for record in caplog.records] == ["NativeDecoder", "PlainDecoder"]


def test_a_decoder_that_cannot_be_made_leaves_the_next_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_plan: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("undersong.model.decoding.native.decoder.native_decoder", broken)
    model = describe(tiny("llama").network, tiny_tokenizer(), "llama")
    assert isinstance(model.decoder, PlainDecoder)
    assert "no such kernel" in caplog.text


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_a_number_does_not_become_one(kind: str, number: float) -> None:
    """Whoever guards the text looks for it among the logits. Other rows do not have it."""
    network: Any = copy.deepcopy(tiny("llama").network)
    token = next(token for token in range(10, 200) if token not in IDS)
    network.model.embed_tokens.weight[token] = number
    fast, _ = both(of(kind, network, "broken"), 20, 2)
    found = logits_of(fast, [IDS[0], token])
    assert found[0].isfinite().all() and found[1].isnan().all()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"dtype": torch.bfloat16}, None),
        ({"hidden_act": "quick_gelu"}, None),
        ({"hidden_act": "gelu"}, False),
        ({"hidden_act": "relu"}, False),
        ({"rms_norm_eps": 1e-3}, False),
    ],
)
def test_kernels_compute_what_they_have_the_functions_for(change: dict[str, Any], expected: bool | None) -> None:
    """Of a network that they do not compute torch does; `expected`: whether they multiply, too."""
    config = LlamaConfig(**{**SIZES, **change})
    network = AutoModelForCausalLM.from_config(config, dtype=change.get("dtype", torch.float32)).eval()
    model = describe(network, tiny_tokenizer(), "changed")
    assert isinstance(model.decoder, PlainDecoder if expected is None else NativeDecoder)
    assert model.decoder.on_one_thread is bool(expected)


def test_rows_longer_than_their_room_keep_what_they_have(llama: LanguageModel, same: Same) -> None:
    for rows in (1, 2):
        fast, slow = both(llama, 20, rows)
        for ids in fed(rows, 100):
            found, expected = logits_of(fast, ids), logits_of(slow, ids)
        same(found, expected)


@pytest.mark.parametrize("rows", [1, 3])
def test_a_token_taken_back_was_never_there(decoded: LanguageModel, same: Same, rows: int) -> None:
    fast, slow = both(decoded, 12, rows)
    for ids, wrong in zip(fed(rows, 6), fed(rows, 6, seed=9), strict=True):
        logits_of(fast, wrong)
        fast.take_back()
        same(logits_of(fast, ids), logits_of(slow, ids))


def test_no_more_is_taken_back_than_was_fed(llama: LanguageModel) -> None:
    fast, _ = both(llama, 12, 1)
    logits_of(fast, [5])
    fast.take_back()
    with pytest.raises(ValueError, match="expected a token after the prefix"):
        fast.take_back()


@given(st.lists(st.sampled_from(["feed", "take back"]), max_size=20), st.integers(1, 3), st.integers(0, 20))
def test_any_feeding_and_taking_back_leaves_what_stands(doings: list[str], rows: int, n: int) -> None:
    for kind in KINDS:
        fed_and_taken_back(by(kind, "gemma2"), doings, rows, n)


def fed_and_taken_back(model: LanguageModel, doings: list[str], rows: int, n: int) -> None:
    fast, _ = both(model, n, rows)
    standing: list[list[int]] = []
    for number, doing in enumerate(doings):
        if doing == "feed":
            standing.append(some_ids(rows, number))
            logits_of(fast, standing[-1])
        elif standing:
            standing.pop()
            fast.take_back()
    again, _ = both(model, n, rows)
    for ids in standing:
        logits_of(again, ids)
    torch.testing.assert_close(logits_of(fast, [7] * rows), logits_of(again, [7] * rows), atol=1e-5, rtol=1e-5)


def test_the_prefix_is_never_written_into(decoded: LanguageModel) -> None:
    window = window_of(decoded, 30)
    window.complete()
    layers = [*window._lower.layers, *window._upper.layers]
    before = [(layer.keys.clone(), layer.values.clone()) for layer in layers]  # pyright: ignore
    for rows in (1, 3):
        steps = after_window(decoded, window, 25, rows)(Steering(decoded, ()))
        for ids in fed(rows, 10):
            logits_of(steps, ids)
    for layer, (keys, values) in zip(layers, before, strict=True):
        assert torch.equal(layer.keys, keys)  # pyright: ignore
        assert torch.equal(layer.values, values)  # pyright: ignore


def reads(resid: torch.Tensor) -> torch.Tensor:
    return resid @ DIRECTIONS.T / DIRECTIONS.norm(dim=1) ** 2


TARGETS = torch.tensor([3.0, 2.0])
STEERED: dict[str, Callable[[], list[Intervention]]] = {
    "add": lambda: [Intervention(HookPoint(1), "add", DIRECTIONS, TARGETS)],
    "add, rows apart": lambda: [
        Intervention(HookPoint(1), "add", DIRECTIONS, torch.tensor([[3.0, 1.0], [0.0, 0.0], [50.0, 20.0]]))
    ],
    "add, a row left alone": lambda: [
        Intervention(HookPoint(1), "add", DIRECTIONS, TARGETS, scale=torch.tensor([1.0, 0.0, 2.0]))
    ],
    "floor": lambda: [Intervention(HookPoint(1), "floor", DIRECTIONS, TARGETS, reads)],
    "clamp before a block": lambda: [Intervention(HookPoint(2, "resid_pre"), "clamp", DIRECTIONS, TARGETS, reads)],
    "ablate and add at two places": lambda: [
        Intervention(HookPoint(0), "ablate", DIRECTIONS, TARGETS, reads),
        Intervention(HookPoint(2), "add", DIRECTIONS, TARGETS),
    ],
    "read before it is written": lambda: [
        Intervention(HookPoint(2), "floor", DIRECTIONS, TARGETS, reads, reads=HookPoint(0))
    ],
}


@pytest.mark.parametrize("case", STEERED)
def test_a_decoder_is_steered_as_hooks_steer_the_network(decoded: LanguageModel, same: Same, case: str) -> None:
    fast, slow = both(decoded, 20, 3, STEERED[case]())
    for ids in fed(3, 8):
        same(logits_of(fast, ids), logits_of(slow, ids))


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_between_attention_and_mlp_too(architecture: str, kind: str, same: Same) -> None:
    middle = [Intervention(HookPoint(1, "resid_mid"), "floor", DIRECTIONS, TARGETS, reads)]
    fast, slow = both(by(kind, architecture), 20, 3, middle)
    for ids in fed(3, 8):
        same(logits_of(fast, ids), logits_of(slow, ids))


def test_a_damped_row_is_damped_alike(llama: LanguageModel, same: Same) -> None:
    fast, slow = both(llama, 20, 3, STEERED["add, rows apart"]())
    for steps in (fast, slow):
        steps._steering.damp(torch.tensor([0.5, 1.0, 0.1]))
    for ids in fed(3, 4):
        same(logits_of(fast, ids), logits_of(slow, ids))


def test_a_row_of_strength_zero_is_bit_for_bit_the_unsteered_one(decoded: LanguageModel) -> None:
    steered, _ = both(decoded, 20, 3, STEERED["add, a row left alone"]())
    plain, _ = both(decoded, 20, 3)
    for ids in fed(3, 8):
        found, expected = logits_of(steered, ids), logits_of(plain, ids)
        assert torch.equal(found[1], expected[1])
        assert not torch.equal(found[0], expected[0])


def test_what_reads_inside_a_block_is_left_to_the_network(llama: LanguageModel) -> None:
    inside = [Intervention(HookPoint(2), "floor", DIRECTIONS, TARGETS, reads, reads=HookPoint(1, "mlp_out"))]
    assert isinstance(after_window(llama, window_of(llama, 5), 5, 1)(Steering(llama, inside)), NetworkSteps)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 3), st.sampled_from([None, *STEERED])), min_size=2, max_size=4
    )
)
@settings(max_examples=30, deadline=None)
def test_requests_of_any_kind_in_one_pass_get_what_each_gets_alone(requests: list[tuple[int, int, str | None]]) -> None:
    """However long what stands before them is, however many rows they have and whatever steers them."""
    for kind, architecture in (("torch", "gemma2"), ("kernels and torch", "gpt2"), ("kernels", "gpt-neox")):
        model = by(kind, architecture)
        steered = [(n, 3 if case else rows, STEERED[case]() if case else []) for n, rows, case in requests]
        together = [both(model, *each)[0] for each in steered]
        apart = [both(model, *each)[0] for each in steered]
        for step in range(4):
            tokens = [some_ids(rows, seed=step) for _, rows, _ in steered]
            asked = [steps.asked(ids) for steps, ids in zip(together, tokens, strict=True)]
            wanted = [next(each) for each in asked]
            wanted[0].run(wanted[1:])
            for each, steps, ids in zip(wanted, apart, tokens, strict=True):
                assert each.kind is wanted[0].kind and each.logits is not None
                torch.testing.assert_close(each.logits, logits_of(steps, ids), atol=5e-5, rtol=1e-5)


def test_half_precision_decodes_as_its_network_does() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(LlamaConfig(**SIZES), dtype=torch.bfloat16).eval()
    model = describe(network, tiny_tokenizer(), "half")
    fast, slow = both(model, 20, 3, STEERED["add"]())
    for ids in fed(3, 4):
        found, expected = logits_of(fast, ids), logits_of(slow, ids)
        # bfloat16 has 8 bits: some 0.01 of difference after three blocks, wherever the network rounds.
        assert (found - expected).norm() < 0.03 * expected.norm()
