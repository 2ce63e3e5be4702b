from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import GPT2Config, MambaConfig, MistralConfig
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from tests.model.text import some_ids, whole
from tests.support.tiny_models import CONTEXT, D_MODEL, N_LAYERS, VOCAB, tiny_network, tiny_tokenizer
from undersong.errors import WeightsFormat
from undersong.model.blocks import find_blocks, skipped
from undersong.model.language_model import LanguageModel, describe

Same = Callable[[Any, Any], None]


def test_a_model_of_any_architecture_is_described(model: LanguageModel) -> None:
    assert (model.n_layers, len(model.blocks), model.d_model) == (N_LAYERS, N_LAYERS, D_MODEL)
    assert (model.context, model.vocab_size) == (CONTEXT, VOCAB)
    assert (model.bos_id, model.eos_ids) == (0, {0})
    # The embedding has some rows more than the tokenizer has tokens: nothing may be written with them.
    assert model.special_ids == {0, *range(len(model.tokenizer), VOCAB)}
    assert (model.device.type, model.dtype) == ("cpu", torch.float32)
    assert not any(parameter.requires_grad for parameter in model.network.parameters())


def test_unembedding_the_last_residual_gives_the_networks_logits(model: LanguageModel, same: Same) -> None:
    residuals, logits = whole(model, some_ids(20))
    same(model.unembed(residuals[N_LAYERS - 1]), logits)
    same(model.unembed(residuals[N_LAYERS - 1][None, :4]), logits[None, :4])
    assert model.unembed(residuals[1][0]).shape == (VOCAB,)


def test_more_rows_than_the_context_can_be_unembedded(model: LanguageModel) -> None:
    assert model.unembed(torch.zeros(CONTEXT + 5, D_MODEL)).shape == (CONTEXT + 5, VOCAB)


def test_skipping_blocks_ends_with_the_context_even_after_an_error(model: LanguageModel, same: Same) -> None:
    ids = some_ids(10)
    before = whole(model, ids)[1]
    with pytest.raises(RuntimeError, match="stop"), skipped(model.blocks, range(N_LAYERS)):
        raise RuntimeError("stop")
    same(whole(model, ids)[1], before)


def test_a_tokenizer_of_another_model_is_refused() -> None:
    with torch.random.fork_rng(devices=[]):
        small = AutoModelForCausalLM.from_config(GPT2Config(vocab_size=200, n_embd=8, n_layer=1, n_head=2))
    with pytest.raises(WeightsFormat, match="not this model's: expected token ids below 200, found 262"):
        describe(small, tiny_tokenizer(), "small")


def test_a_model_without_keys_and_values_is_refused() -> None:
    config = MambaConfig(vocab_size=272, hidden_size=16, num_hidden_layers=1, state_size=4, pad_token_id=0)
    with pytest.raises(WeightsFormat, match="expected attention that keeps keys and values"):
        describe(AutoModelForCausalLM.from_config(config), tiny_tokenizer(), "mamba")


def test_a_sliding_window_is_noted_without_a_list_of_layer_kinds() -> None:
    config = MistralConfig(
        vocab_size=VOCAB, hidden_size=32, intermediate_size=32, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=16, max_position_embeddings=64,
    )  # fmt: skip
    assert describe(AutoModelForCausalLM.from_config(config), tiny_tokenizer(), "mistral").sliding_window == 16


def test_a_network_without_a_list_of_blocks_is_refused() -> None:
    with pytest.raises(WeightsFormat, match="expected a list of 7 decoder blocks in the network, found none"):
        find_blocks(tiny_network().base_model, 7, D_MODEL, "llama")


def test_blocks_that_put_out_something_else_are_refused() -> None:
    with pytest.raises(WeightsFormat, match=r"expected block 0 to put out one residual stream \(1, 1, 99\)"):
        find_blocks(tiny_network().base_model, N_LAYERS, 99, "llama")


def test_blocks_that_do_not_run_in_order_are_refused() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

        def forward(self, input_ids: torch.Tensor, use_cache: bool) -> torch.Tensor:
            return self.layers[0](self.layers[1](torch.zeros(*input_ids.shape, 4)))

    with pytest.raises(WeightsFormat, match=r"run once each in order, found \[1, 0\]"):
        find_blocks(Backwards(), 2, 4, "backwards")
