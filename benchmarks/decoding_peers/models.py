"""The models that are measured: the default one, and random ones of two usual shapes, made once and kept.

A random model's weights are rounded to float16 as they are stored, so that both precisions of a peer hold the same
numbers. It borrows the default model's tokenizer, which no measurement uses.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig
from transformers.utils import logging

from benchmarks.decoding_peers.job import PRECISIONS, Job
from benchmarks.decoding_peers.networks import blocks_of
from benchmarks.drafts import draft

DEFAULT = Path(__file__).parents[2] / "sae_weights/default/model"
PROMPT = 128
SHARE = 0.5
"""Of the residual stream's median norm over the prompt: the length of the vector that steers."""


@dataclass(frozen=True, slots=True)
class Shape:
    """`config`: of a random model; None: the default model. `tokens` to write where the command line says nothing."""

    what: str
    config: Callable[[], Any] | None
    tokens: int = 64


SHAPES: dict[str, Shape] = {
    "default": Shape("the default model", None),
    "gpt2": Shape("random weights in GPT-2 small's shape", lambda: GPT2Config(bos_token_id=0, eos_token_id=0)),
    "1b": Shape(
        "random weights in the shape of a Llama of 1 B",
        lambda: LlamaConfig(
            vocab_size=32_000, hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
            num_key_value_heads=8, max_position_embeddings=2048, bos_token_id=0, eos_token_id=0, pad_token_id=0,
        ),
        tokens=8,
    ),
}  # fmt: skip


def prepare(name: str, work: Path, threads: int, precisions: Sequence[str] = PRECISIONS) -> Path:
    """The path of the job of a model, all files made that are not there yet below `work`.

    `precisions`: of its GGUF files; reading needs none.
    """
    kept = work / name
    kept.mkdir(parents=True, exist_ok=True)
    config = SHAPES[name].config
    folder = DEFAULT if config is None else kept / "model"
    if config is not None and not folder.exists():
        random_model(config(), folder)
    files = {precision: kept / f"{precision}.gguf" for precision in PRECISIONS}
    for precision in precisions:
        if not _newer(files[precision], folder / "model.safetensors"):
            from benchmarks.decoding_peers.gguf_files import write_gguf

            write_gguf(folder, files[precision], precision)
    told = kept / "job.json"
    if _newer(told, folder / "model.safetensors"):
        known = Job.read(told)
        if (known.folder, known.threads) == (str(folder), threads):
            return told
    prompt = _prompt(folder, is_random=config is not None)
    layer, vector = _push(folder, prompt)
    read, held = weight_counts(folder)
    gguf = {precision: str(path) for precision, path in files.items()}
    Job(name, str(folder), gguf, prompt, layer, vector, read, held, threads).write(told)
    return told


def random_model(config: Any, folder: Path) -> None:
    """A network of that configuration with seeded weights, in float16, and a tokenizer."""
    logging.disable_progress_bar()
    torch.manual_seed(0)
    network = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    network.to(torch.float16).save_pretrained(folder, max_shard_size="20GB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(DEFAULT / name, folder / name)


def weight_counts(folder: Path) -> tuple[int, int]:
    """(numbers read for each token, numbers held). An embedding that is not also the head gives one row only."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # GPT-2's configurations say nothing: tied.
    tied = config.get("tie_word_embeddings", config["model_type"] == "gpt2")
    read = held = 0
    with safe_open(folder / "model.safetensors", framework="pt") as file:  # pyright: ignore[reportGeneralTypeIssues]
        for name in file.keys():  # noqa: SIM118
            count = file.get_slice(name).get_shape()
            numbers = int(torch.tensor(count).prod())
            held += numbers
            is_row = name.endswith("wpe.weight") or (name.endswith("embed_tokens.weight") and not tied)
            read += 0 if is_row else numbers
    return read, held


def _newer(made: Path, of: Path) -> bool:
    return made.exists() and made.stat().st_mtime >= of.stat().st_mtime


def _prompt(folder: Path, is_random: bool) -> list[int]:
    if is_random:
        drawn = torch.Generator().manual_seed(1)
        vocabulary = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
        return torch.randint(1, vocabulary, (PROMPT,), generator=drawn).tolist()
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(draft(2 * PROMPT)).ids
    return ids[:PROMPT]


@torch.inference_mode()
def _push(folder: Path, prompt: Sequence[int]) -> tuple[int, list[float]]:
    """(a middle block, what is added behind it)"""
    network: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    blocks = blocks_of(network)
    layer = len(blocks) // 2
    found: list[torch.Tensor] = []

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    with blocks[layer].register_forward_hook(keep):
        network(input_ids=torch.tensor([list(prompt)]), use_cache=False)
    norm = found[0].norm(dim=-1).median()
    direction = torch.randn(found[0].shape[-1], generator=torch.Generator().manual_seed(2))
    return layer, (SHARE * norm * direction / direction.norm()).tolist()
