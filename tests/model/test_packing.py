from __future__ import annotations

import copy

import pytest
import torch
from transformers import GPT2Config, LlamaConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.model.text import some_ids, whole
from tests.support.tiny_models import tiny_tokenizer
from undersong.model import packing
from undersong.model.language_model import LanguageModel, describe
from undersong.model.packing import PackedLinear, is_exact, pack

IDS = some_ids(20)
SIZES = {"vocab_size": 272, "bos_token_id": 0, "eos_token_id": 0, "initializer_range": 0.2}

pytestmark = pytest.mark.skipif(
    "fbgemm" not in torch.backends.quantized.supported_engines, reason="FBGEMM multiplies packed weights on x86 only"
)


@pytest.fixture(autouse=True)
def small_matrices_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALL", 0)


def made(architecture: str, stored: torch.dtype = torch.bfloat16) -> LanguageModel:
    """A tiny model whose weights were stored in `stored`, in float32."""
    configs = {
        "llama": LlamaConfig(
            **SIZES, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64,
        ),
        "gpt2": GPT2Config(**SIZES, n_embd=32, n_layer=2, n_head=4, n_positions=64),
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = AutoModelForCausalLM.from_config(configs[architecture], dtype=torch.float32)
    return describe(network.to(stored).float().eval(), tiny_tokenizer(), architecture)


@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16])
def test_a_packed_model_is_the_model(architecture: str, stored: torch.dtype) -> None:
    plain, packed = made(architecture, stored), made(architecture, stored)
    assert pack(packed)
    assert sum(isinstance(module, PackedLinear) for module in packed.network.modules()) > 4
    assert packed.decoder is not None
    for found, expected in zip(whole(packed, IDS), whole(plain, IDS), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_weights_that_float16_does_not_hold_are_left() -> None:
    model = made("llama", torch.float32)
    assert not pack(model)
    assert not any(isinstance(module, PackedLinear) for module in model.network.modules())


def test_small_matrices_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "SMALL", 32 * 48)
    model = made("llama")
    assert pack(model)
    # The head alone is larger.
    assert [name for name, module in model.network.named_modules() if isinstance(module, PackedLinear)] == ["lm_head"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([1.0, -2.5, 0.0], True), ([1.0, 1.0001], False), ([70_000.0], False), ([1e-30, 3e-8], True)],
)
def test_float16_holds_what_it_gives_back(weights: list[float], expected: bool) -> None:
    assert is_exact(torch.tensor(weights)) is expected


def test_gradients_pass_through_a_packed_map_as_through_the_plain_one() -> None:
    torch.manual_seed(0)
    weight, bias = torch.randn(7, 5).bfloat16().float(), torch.randn(7)
    packed = PackedLinear(weight, bias)
    x = torch.randn(2, 3, 5, requires_grad=True)
    y = copy.deepcopy(x.detach()).requires_grad_()
    found, expected = packed(x), torch.nn.functional.linear(y, weight, bias)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-4, rtol=1e-5)
    assert torch.equal(packed.weight, weight)
