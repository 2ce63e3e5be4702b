from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.model.text import some_ids, whole
from tests.support.tiny_models import tiny_network, tiny_tokenizer
from undersong.hook_points import HookPoint
from undersong.model.generation import Generation, generate
from undersong.model.interventions import Intervention
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel, describe
from undersong.model.sampling import Sampler
from undersong.model.steps import after_window

Same = Callable[[Any, Any], None]

IDS = some_ids(30)
DIRECTIONS = torch.randn(2, 32, generator=torch.Generator().manual_seed(3))


def window_of(model: LanguageModel, ids: list[int] = IDS) -> WindowCache:
    window = WindowCache(model, (HookPoint(1), HookPoint(2)))
    window.extend(ids)
    return window


def floor(scale: list[float] | None = None) -> Intervention:
    """Two features of layer 1, read as projections, raised well above where they are."""
    return Intervention(
        HookPoint(1),
        "floor",
        DIRECTIONS,
        torch.tensor([3.0, 2.0]),
        lambda resid: resid @ DIRECTIONS.T / DIRECTIONS.norm(dim=1) ** 2,
        None if scale is None else torch.tensor(scale),
    )


def samplers(rows: int, temperature: float = 1.0, top_p: float = 0.95) -> list[Sampler]:
    return [Sampler(temperature, top_p, seed=11, row=row) for row in range(rows)]


def written(generation: Generation) -> list[list[int]]:
    for _ in generation:
        pass
    return generation.ids


def test_greedy_writing_is_what_the_plain_network_would_write(model: LanguageModel) -> None:
    found = written(generate(model, window_of(model), 30, samplers(1, 0.0), max_tokens=12))[0]
    ids = list(IDS)
    for token in found:
        logits = whole(model, ids)[1][-1]
        # Two nearly equal logits may change places by rounding.
        assert logits[token] >= logits.max() - 1e-4
        ids.append(token)
    assert len(found) == 12


def test_log_probabilities_are_those_of_the_model_without_sampling_settings(model: LanguageModel, same: Same) -> None:
    generation = generate(model, window_of(model), 30, samplers(2, 0.6, 0.8), max_tokens=6, banned={5})
    for ids, logprobs in zip(written(generation), generation.logprobs, strict=True):
        logits = whole(model, IDS + ids)[1][29:-1]
        same(torch.tensor(logprobs), logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])[:, 0])


def test_a_batch_writes_what_its_rows_would_write_alone(model: LanguageModel, same: Same) -> None:
    window = window_of(model)
    scales = [0.0, 0.5, 1.0]
    batch = generate(model, window, 30, samplers(3), max_tokens=15, interventions=[floor(scales)])
    written(batch)
    for row, scale in enumerate(scales):
        single = Generation(
            model,
            after_window(model, window, 29, 1),
            IDS[29],
            [samplers(3)[row]],
            max_tokens=15,
            interventions=[floor([scale])],
        )
        assert written(single)[0] == batch.ids[row]
        same(torch.tensor(single.logprobs[0]), torch.tensor(batch.logprobs[row]))


def test_strength_zero_writes_the_unsteered_text_bit_for_bit(model: LanguageModel) -> None:
    window = window_of(model)
    plain = generate(model, window, 30, samplers(3), max_tokens=15)
    zero = generate(model, window, 30, samplers(3), max_tokens=15, interventions=[floor([0.0, 1.0, 0.0])])
    written(plain)
    written(zero)
    for row in (0, 2):
        assert zero.ids[row] == plain.ids[row]
        assert zero.logprobs[row] == plain.logprobs[row]
    assert zero.logprobs[1] != plain.logprobs[1]


def test_steering_begins_at_the_last_position_of_the_prompt(model: LanguageModel) -> None:
    window = window_of(model)
    plain = generate(model, window, 30, samplers(1, 0.0), max_tokens=1)
    steered = generate(model, window, 30, samplers(1, 0.0), max_tokens=1, interventions=[floor()])
    written(plain)
    written(steered)
    assert plain.logprobs[0] != steered.logprobs[0]


def test_writing_from_a_cached_window_is_writing_from_a_fresh_one(model: LanguageModel) -> None:
    cold = generate(model, window_of(model), 30, samplers(2), max_tokens=15, interventions=[floor()])
    window = window_of(model, some_ids(60, 8))
    window.complete()
    window.crop(0)
    for start in range(0, 30, 7):
        window.extend(IDS[start : min(start + 7, 30)])
        window.complete(limit=3)
    warm = generate(model, window, 30, samplers(2), max_tokens=15, interventions=[floor()])
    assert written(cold) == written(warm)


def test_the_window_is_bit_identical_after_a_steered_fork_wrote(model: LanguageModel) -> None:
    window = window_of(model)
    window.complete()
    layers = [layer for layer in (*window._lower.layers, *window._upper.layers) if layer.keys is not None]
    before = [(layer.keys.clone(), layer.values.clone()) for layer in layers]  # pyright: ignore
    residuals = window.read(HookPoint(2)).clone()
    written(generate(model, window, 30, samplers(3), max_tokens=20, interventions=[floor()]))
    assert window.ids == IDS
    assert torch.equal(window.read(HookPoint(2)), residuals)
    for layer, (keys, values) in zip(layers, before, strict=True):
        assert torch.equal(layer.keys, keys)  # pyright: ignore
        assert torch.equal(layer.values, values)  # pyright: ignore


def test_reading_between_two_steps_is_not_steered_and_changes_nothing(model: LanguageModel, same: Same) -> None:
    window = window_of(model)
    alone = generate(model, window, 30, samplers(1), max_tokens=8, interventions=[floor()])
    mixed = generate(model, window, 30, samplers(1), max_tokens=8, interventions=[floor()])
    expected = whole(model, IDS)[0][2]
    written(alone)
    for _ in mixed:
        same(window_of(model).read(HookPoint(2)), expected)
    assert mixed.ids == alone.ids
    assert mixed.logprobs == alone.logprobs


def test_a_finished_row_writes_no_more_and_the_others_go_on(llama: LanguageModel) -> None:
    window = window_of(llama)
    expected = written(generate(llama, window, 30, samplers(3), max_tokens=8))
    generation = generate(llama, window, 30, samplers(3), max_tokens=8)
    first = next(generation)
    assert first == [ids[0] for ids in expected]
    generation.finish(1)
    second = next(generation)
    assert second[1] is None and second[0] == expected[0][1]
    written(generation)
    assert generation.ids == [expected[0], expected[1][:1], expected[2]]
    assert generation.done


def test_it_ends_when_every_row_is_finished(llama: LanguageModel) -> None:
    generation = generate(llama, window_of(llama), 30, samplers(2), max_tokens=8)
    next(generation)
    generation.finish(0)
    generation.finish(1)
    assert generation.done
    assert list(generation) == []


def test_it_ends_at_the_end_of_the_context(model: LanguageModel) -> None:
    window = window_of(model, some_ids(125))
    generation = generate(model, window, 125, samplers(1), max_tokens=50)
    # Positions 124 to 127 are fed; each gives a token.
    assert len(written(generation)[0]) == 4


def test_it_may_begin_inside_the_window_or_at_its_first_token(model: LanguageModel) -> None:
    window = window_of(model)
    for n in (1, 12):
        short = window_of(model, IDS[:n])
        assert written(generate(model, window, n, samplers(2), max_tokens=5)) == written(
            generate(model, short, n, samplers(2), max_tokens=5)
        )


def test_banned_tokens_and_a_bias_are_honoured(llama: LanguageModel) -> None:
    bias = torch.zeros(llama.vocab_size)
    bias[[7, 8]] = 100.0
    window = window_of(llama)
    assert set(written(generate(llama, window, 30, samplers(1), max_tokens=6, bias=bias))[0]) <= {7, 8}
    assert set(written(generate(llama, window, 30, samplers(1), max_tokens=6, bias=bias, banned={7}))[0]) == {8}


@pytest.mark.parametrize("n", [0, 31])
def test_a_place_outside_the_window_is_refused(llama: LanguageModel, n: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 30 tokens to write after"):
        generate(llama, window_of(llama), n, samplers(1), max_tokens=1)


def test_a_model_in_half_precision_reads_writes_and_keeps_strength_zero_exact() -> None:
    half = describe(tiny_network().to(torch.bfloat16), tiny_tokenizer(), "half")
    window = window_of(half)
    assert window.read(HookPoint(1)).dtype == torch.bfloat16
    plain = generate(half, window, 30, samplers(2), max_tokens=10)
    mixed = generate(half, window, 30, samplers(2), max_tokens=10, interventions=[floor([0.0, 1.0])])
    written(plain)
    written(mixed)
    assert mixed.ids[0] == plain.ids[0]
    assert mixed.logprobs[0] == plain.logprobs[0]
    assert mixed.logprobs[1] != plain.logprobs[1]
