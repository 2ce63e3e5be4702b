"""What else could make decoding faster on a CPU, measured: how weights are multiplied by, guessing ahead, compiling.

    python benchmarks/decoding_options.py [--threads 2] [--rounds 7] [--compile] [--out FILE]

- Weights: one token's linear maps of a network in GPT-2 small's shape, by torch in float32 and bfloat16, packed by
  oneDNN, packed in float16 (model/packing.py), in int8 with inputs quantised as they come (FBGEMM), and in int8 weights
  alone by torchao where it is installed. In turns; medians in ms.
- Guessing ahead (prompt lookup): how many tokens a pass would yield if what followed the last N tokens where they last
  stood were guessed to follow again, and what a pass over so many tokens costs beside one over one. A guess is right
  where it is what the sampler draws, so that nothing else would be written.
- Compiling (`--compile`): the default model's own forward under torch.compile with a static cache: seconds until it is
  compiled, and ms a token beside the same without.

Prints, and writes benchmarks/decoding_options.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.figures import keep, machine
from benchmarks.steering.openings import OPENINGS
from undersong.hook_points import HookPoint
from undersong.model.generation import generate
from undersong.model.kv_cache import WindowCache
from undersong.model.load import load_model
from undersong.model.packing import PackedLinear, pack
from undersong.model.sampling import Sampler
from undersong.model.tokens import encode

OUT = Path(__file__).with_name("decoding_options.json")
MODEL = Path(__file__).parents[1] / "sae_weights/default/model"
SHAPES = [(768, 2304), (768, 768), (768, 3072), (3072, 768)] * 12 + [(768, 50257)]
"""[d_in, d_out] of GPT-2 small's linear maps, its head last."""
ROWS = (1, 4, 8)
GUESSED = 4
LOOKED_FOR = (3, 2)
WRITTEN = 160

Way = Callable[[Tensor], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(arguments.threads)
    content: dict[str, Any] = {"machine": machine(), "threads": arguments.threads}
    content["weights"] = weights(arguments.rounds)
    content["guessing"] = guessing()
    if arguments.compile:
        content["compiling"] = compiling(arguments.rounds)
    for name in ("weights", "guessing", "compiling"):
        print(name, content.get(name, "not asked for"))
    keep(arguments.out, content)


def weights(rounds: int) -> dict[str, dict[str, float | str]]:
    """Way -> rows -> ms of all linear maps of one token a row."""
    torch.manual_seed(0)
    plain = [(torch.randn(d_out, d_in) * 0.02).half().float() for d_in, d_out in SHAPES]
    found: dict[str, dict[str, float | str]] = {}
    for rows in ROWS:
        samples: dict[str, list[float]] = {}
        made = ways(plain, rows)
        for number in range(rounds + 1):
            for name, maps in made.items():
                if isinstance(maps, str):
                    found.setdefault(name, {})[str(rows)] = maps
                    continue
                inputs = [torch.randn(rows, d_in) for d_in, _ in SHAPES]
                began = time.perf_counter()
                for run, x in zip(maps, inputs, strict=True):
                    run(x)
                if number:
                    samples.setdefault(name, []).append(time.perf_counter() - began)
        for name, taken in samples.items():
            found.setdefault(name, {})[str(rows)] = round(statistics.median(taken) * 1e3, 2)
    return found


def ways(plain: Sequence[Tensor], rows: int) -> dict[str, list[Way] | str]:
    """What multiplies by each of the weights; why not where it cannot."""

    def onednn(weight: Tensor) -> Way:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        return lambda x: torch.ops.mkldnn._linear_pointwise(x, packed, None, "none", [], "")

    def int8(weight: Tensor) -> Way:
        scales = (weight.abs().amax(1) / 127).double()
        quantised = torch.quantize_per_channel(weight, scales, torch.zeros(len(weight)).long(), 0, torch.qint8)
        packed = torch.ops.quantized.linear_prepack(quantised, None)
        return lambda x: torch.ops.quantized.linear_dynamic(x, packed, True)

    def plainly(weight: Tensor) -> Way:
        return lambda x: F.linear(x, weight)

    def half(weight: Tensor) -> Way:
        narrow = weight.bfloat16()
        return lambda x: F.linear(x.bfloat16(), narrow)

    return {
        "float32": [plainly(weight) for weight in plain],
        "bfloat16": [half(weight) for weight in plain],
        "float32, packed by oneDNN": [onednn(weight) for weight in plain],
        "float16, packed": [PackedLinear(weight, None) for weight in plain],
        "int8, inputs quantised too": [int8(weight) for weight in plain],
        "int8 weights alone, torchao": _torchao(plain),
    }


def _torchao(plain: Sequence[Tensor]) -> list[Way] | str:
    try:
        from torchao.quantization import Int8WeightOnlyConfig, quantize_  # pyright: ignore
    except ImportError as error:
        return f"not measured: {error}"
    stack = torch.nn.ModuleList()
    for weight in plain:
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        linear.weight = torch.nn.Parameter(weight.clone(), False)
        stack.append(linear)
    quantize_(stack, Int8WeightOnlyConfig())
    return list(stack)


def guessing() -> dict[str, float | int]:
    """Of texts that the default model writes after openings, as suggestions are drawn."""
    model = load_model(MODEL)
    pack(model)
    passes = tokens = right = guesses = 0
    for number, opening in enumerate(OPENINGS):
        ids = list(encode(model.tokenizer, opening).ids)
        window = WindowCache(model, (HookPoint(model.n_layers - 1),))
        window.extend(ids)
        drawn = generate(model, window, len(ids), [Sampler(0.8, 0.95, seed=number)], max_tokens=WRITTEN)
        for _ in drawn:
            pass
        text, at = [*ids, *drawn.ids[0]], len(ids)
        while at < len(text):
            guess = guessed(text[:at])
            hit = next((n for n, token in enumerate(guess) if text[at + n : at + n + 1] != [token]), len(guess))
            passes, guesses, right = passes + 1, guesses + bool(guess), right + hit
            tokens += min(hit + 1, len(text) - at)
            at += hit + 1
    one, several = _passes(model, 1), _passes(model, 1 + GUESSED)
    return {
        "passes": passes,
        "passes with a guess": guesses,
        "tokens a pass": round(tokens / passes, 3),
        f"a pass over {1 + GUESSED} tokens over one over 1": round(several / one, 2),
    }


def guessed(ids: Sequence[int]) -> list[int]:
    """What followed the last tokens where they last stood before; nothing if they never did."""
    for length in LOOKED_FOR:
        end = list(ids[-length:])
        for at in range(len(ids) - length - 1, -1, -1):
            if list(ids[at : at + length]) == end:
                return list(ids[at + length : at + length + GUESSED])
    return []


def _passes(model: Any, n: int) -> float:
    """Median seconds of reading n tokens after 128, logits with them."""
    window = WindowCache(model, (HookPoint(model.n_layers - 1),))
    ids = [5 + n % 1000 for n in range(128)]
    window.extend(ids)
    taken: list[float] = []
    for _ in range(20):
        cache = window.fork(127, 1)
        began = time.perf_counter()
        model.logits(model.tensor([ids[-1:] * n]), cache)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def compiling(rounds: int) -> dict[str, float]:
    """The default model by transformers' `generate`, greedy, with a static cache: compiled and not."""
    network: Any = load_model(MODEL).network
    ids = torch.arange(5, 133)[None]

    def token() -> float:
        began = time.perf_counter()
        network.generate(
            ids, max_new_tokens=32, min_new_tokens=32, do_sample=False, cache_implementation="static", pad_token_id=0,
            disable_compile=True,
        )  # fmt: skip
        return (time.perf_counter() - began) / 32 * 1e3

    token()
    plain = statistics.median(token() for _ in range(rounds))
    network.forward = torch.compile(network.forward, fullgraph=False, dynamic=False)
    began = time.perf_counter()
    token()
    token()
    spent = time.perf_counter() - began
    compiled = statistics.median(token() for _ in range(rounds))
    return {"seconds to compile": round(spent, 1), "ms a token": round(compiled, 2), "without": round(plain, 2)}


if __name__ == "__main__":
    main()
