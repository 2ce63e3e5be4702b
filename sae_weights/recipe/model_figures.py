"""How well a language model predicts the held-out books, and how varied what it writes is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from corpus import Book
from estimates import Estimate, Sums, Terms
from heldout import Text, Windows, batches, ordinary, spread, tokens_of, typographic, windows
from torch import Tensor

from undersong.engine.openings import OPENINGS
from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.generation import generate
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler
from undersong.model.tokens import decode, encode
from undersong.text.typography import plain
from undersong.wire import WriteRequest

LENGTH = 512
"""Tokens a window, BOS among them: the seed model's context, so that it can be compared."""
BATCH_TOKENS = 2048
SAMPLE_TOKENS = 100
SEED = 0
# The share of 4-grams that occurred before in the same sample: what a loop looks like.
REPEATED = 4


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """On the held-out books, in windows of 512 tokens that begin with BOS; `_full_context`: as long as the model's.

    `_typographic`: of a typographic copy (curly quotes, dashes, ellipses), read as the engine reads a draft for a
    model of plain typography; `_as_written`: of that copy without the plain reading. A bit a character is always one
    of the text that is read, be that two hyphens or one dash.

    `distinct_n`: of a sample's n-grams of tokens the share that are different; `repetition`: of its 4-grams the share
    that occurred before in it. Means over samples of 100 tokens, drawn as the engine draws, after its neutral openings.
    """

    parameters: Estimate
    context: Estimate
    nats_per_token: Estimate
    bits_per_character: Estimate
    bits_per_character_full_context: Estimate
    bits_per_character_typographic: Estimate
    bits_per_character_as_written: Estimate
    distinct_1: Estimate
    distinct_2: Estimate
    distinct_3: Estimate
    repetition: Estimate


def measure_model(model: LanguageModel, books: Sequence[Book], most: int | None, samples: int) -> ModelFigures:
    """`most`: how many windows of each text to read, None for all."""
    text, dressed = tokens_of(model, ordinary(books)), typographic(books)
    short = min(LENGTH, model.context)
    usual = predicted(model, text, short, most)
    return ModelFigures(
        parameters=Estimate(sum(p.numel() for p in model.network.parameters())),
        context=Estimate(model.context),
        nats_per_token=usual["nats_per_token"],
        bits_per_character=usual["bits_per_character"],
        bits_per_character_full_context=predicted(model, text, model.context, most)["bits_per_character"],
        bits_per_character_typographic=_bits(model, tokens_of(model, dressed, plain), short, most),
        bits_per_character_as_written=_bits(model, tokens_of(model, dressed), short, most),
        **variety(write_samples(model, samples)),
    )


def predicted(model: LanguageModel, text: Text, length: int, most: int | None) -> dict[str, Estimate]:
    """`nats_per_token` and `bits_per_character` in windows of `length` tokens."""
    chosen = spread(windows(text, length, bos_of(model)), most)
    sums = Sums(len(chosen))
    for rows in batches(chosen, max(1, BATCH_TOKENS // length), "prediction"):
        sums.add({"nats": window_nats(model, rows), "tokens": rows.tokens, "characters": rows.characters})
    return sums.estimate(_rates)


def _bits(model: LanguageModel, text: Text, length: int, most: int | None) -> Estimate:
    return predicted(model, text, length, most)["bits_per_character"]


def _rates(sums: Terms) -> dict[str, float]:
    nats = float(sums["nats"])
    return {
        "nats_per_token": nats / float(sums["tokens"]),
        "bits_per_character": nats / math.log(2) / float(sums["characters"]),
    }


@torch.inference_mode()
def window_nats(model: LanguageModel, rows: Windows) -> Tensor:
    """[n]: of all of a window's tokens together."""
    nats = token_nats(model.network(input_ids=rows.ids, use_cache=False).logits, rows.ids)
    return (nats * (torch.arange(nats.shape[1]) < rows.tokens[:, None])).sum(1, dtype=torch.float64)


def token_nats(logits: Tensor, ids: Tensor) -> Tensor:
    """[n, length - 1]: -log probability of each token of `ids` [n, length] but the first."""
    logits = logits[:, :-1].float()
    return logits.logsumexp(-1) - logits.gather(-1, ids[:, 1:, None])[..., 0]


def bos_of(model: LanguageModel) -> int:
    if model.bos_id is None:
        raise WeightsFormat(f"{model.name}: expected a tokenizer with a token that texts begin with, found none")
    return model.bos_id


@torch.inference_mode()
def write_samples(model: LanguageModel, count: int) -> list[list[int]]:
    """`count` continuations of SAMPLE_TOKENS tokens, the openings taken in turn.

    As the engine writes at the end of a draft that is one such opening: after BOS, a line break and the whole of it,
    with the sampling that is the default, and no line break. One batch for each opening.
    """
    defaults = {field.name: field.default for field in fields(WriteRequest)}
    line_breaks = [token for token in range(model.vocab_size) if "\n" in decode(model.tokenizer, [token])]
    found: dict[int, list[int]] = {}
    for number, opening in enumerate(OPENINGS[:count]):
        rows = range(number, count, len(OPENINGS))
        window = WindowCache(model, [HookPoint(0)])
        window.extend([bos_of(model), *encode(model.tokenizer, "\n" + opening).ids])
        generation = generate(
            model,
            window,
            window.length,
            [Sampler(defaults["temperature"], defaults["top_p"], SEED, row) for row in rows],
            max_tokens=SAMPLE_TOKENS,
            banned=model.special_ids.union(line_breaks),
        )
        for _ in generation:
            pass
        found |= dict(zip(rows, generation.ids, strict=True))
    return [found[row] for row in range(count)]


def variety(samples: Sequence[Sequence[int]]) -> dict[str, Estimate]:
    """`distinct_1` to `distinct_3` and `repetition` of samples of at least 4 tokens each."""
    sums = Sums(len(samples))
    for sample in samples:
        shares = {f"distinct_{n}": distinct(sample, n) for n in (1, 2, 3)}
        shares["repetition"] = 1 - distinct(sample, REPEATED)
        sums.add({name: torch.tensor([share]) for name, share in {**shares, "n": 1.0}.items()})
    return sums.estimate(lambda total: {name: float(term / total["n"]) for name, term in total.items() if name != "n"})


def distinct(sample: Sequence[int], n: int) -> float:
    """Of the sample's n-grams, the share that are different."""
    grams = [tuple(sample[at : at + n]) for at in range(len(sample) - n + 1)]
    return len(set(grams)) / len(grams)
