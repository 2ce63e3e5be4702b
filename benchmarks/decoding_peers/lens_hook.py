"""TransformerLens: HookedTransformer with the job's weights, `generate` inside `hooks` on resid_post.

With learned positions (GPT-2) its `generate` counts what is in the cache twice: `get_residual` is given all embeddings
so far and the length of the cache. Its ids then differ from the second one on; without a cache they are the others'.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.pretrained.weight_conversions.gpt2 import convert_gpt2_weights
from transformer_lens.pretrained.weight_conversions.llama import convert_llama_weights

from benchmarks.decoding_peers.job import Job, Unable, Written
from benchmarks.decoding_peers.networks import network_of


class Model:
    """`kind`: HookedTransformer, or what is derived from it."""

    kind: type[HookedTransformer] = HookedTransformer

    def __init__(self, job: Job, precision: str) -> None:
        network = network_of(job, precision)
        if network.config.model_type == "llama":
            config, convert = _llama(network.config), convert_llama_weights
        elif network.config.model_type == "gpt2":
            config, convert = _gpt2(network.config), convert_gpt2_weights
        else:
            raise Unable(f"no conversion here from {network.config.model_type}")
        self.model: Any = self.kind(config)
        self.model.load_and_process_state_dict(
            convert(network, config), fold_ln=False, center_writing_weights=False, center_unembed=False,
            fold_value_biases=False,
        )  # fmt: skip
        self.model.eval()
        self.job = job
        self._vector = torch.tensor(job.vector)
        self._prompt = torch.tensor([job.prompt])
        self._stamps: list[float] = []
        self.model.unembed.register_forward_hook(lambda *_: self._stamps.append(time.perf_counter()))

    def hooks(self) -> list[tuple[str, Any]]:
        """What steers."""

        def added(value: Tensor, hook: Any) -> Tensor:
            value[:, -1] += self._vector
            return value

        return [(f"blocks.{self.job.layer}.hook_resid_post", added)]

    def write(self, rows: int, tokens: int, steered: bool) -> Written:
        prompt = self._prompt.repeat(rows, 1)
        self._stamps.clear()
        with ExitStack() as stack:
            if steered:
                stack.enter_context(self.model.hooks(fwd_hooks=self.hooks()))
            made = self.model.generate(
                prompt, max_new_tokens=tokens, do_sample=False, stop_at_eos=False, return_type="tokens", verbose=False
            )
        # Taken before the last step's token is chosen, at every step alike.
        return Written(made[:, prompt.shape[1] :].tolist(), list(self._stamps))


def _llama(config: Any) -> HookedTransformerConfig:
    d_head = config.hidden_size // config.num_attention_heads
    return HookedTransformerConfig(
        d_model=config.hidden_size, d_head=d_head, n_heads=config.num_attention_heads,
        n_key_value_heads=config.num_key_value_heads, d_mlp=config.intermediate_size,
        n_layers=config.num_hidden_layers, n_ctx=config.max_position_embeddings, d_vocab=config.vocab_size,
        act_fn="silu", normalization_type="RMS", eps=config.rms_norm_eps, final_rms=True, gated_mlp=True,
        positional_embedding_type="rotary", rotary_dim=d_head, rotary_adjacent_pairs=False,
        rotary_base=int(config.rope_parameters["rope_theta"]), original_architecture="LlamaForCausalLM",
        device="cpu", dtype=torch.float32,
    )  # fmt: skip


def _gpt2(config: Any) -> HookedTransformerConfig:
    return HookedTransformerConfig(
        d_model=config.n_embd, d_head=config.n_embd // config.n_head, n_heads=config.n_head, d_mlp=4 * config.n_embd,
        n_layers=config.n_layer, n_ctx=config.n_positions, d_vocab=config.vocab_size, act_fn="gelu_new",
        normalization_type="LN", eps=config.layer_norm_epsilon, original_architecture="GPT2LMHeadModel",
        device="cpu", dtype=torch.float32,
    )  # fmt: skip
