"""The brake and the guard against repetition, against the slow way: a row at a time, all computed from scratch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.model.text import some_ids, whole
from undersong.hook_points import HookPoint
from undersong.model.blocks import hidden_of, with_hidden
from undersong.model.divergence import kl_per_token
from undersong.model.generation import generate
from undersong.model.guarded import AIM, BRAKE_NATS, TRIES, Guarded, repeating
from undersong.model.interventions import Intervention
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler, choose, nucleus

Same = Callable[[Any, Any], None]

IDS = some_ids(12)
N_TOKENS = 8
DIRECTION = torch.randn(1, 32, generator=torch.Generator().manual_seed(3))


def add(scale: list[float], strength: float = 4.0) -> Intervention:
    return Intervention(HookPoint(1), "add", DIRECTION, torch.tensor([strength]), scale=torch.tensor(scale))


def samplers(rows: int, temperature: float = 1.0) -> list[Sampler]:
    return [Sampler(temperature, 1.0, seed=2, row=row) for row in range(rows)]


def window_of(model: LanguageModel, ids: list[int] = IDS) -> WindowCache:
    window = WindowCache(model, (HookPoint(1),))
    window.extend(ids)
    return window


def guarded(model: LanguageModel, scale: list[float], **options: Any) -> Guarded:
    """Without the guard for plausible tokens, unless a test asks for it."""
    options.setdefault("plausible", 1.0)
    interventions = options.pop("interventions", [add(scale)])
    generation = Guarded(
        model,
        window_of(model),
        len(IDS),
        options.pop("samplers", samplers(len(scale))),
        max_tokens=options.pop("max_tokens", N_TOKENS),
        interventions=interventions,
        **options,
    )
    for _ in generation:
        pass
    return generation


@torch.inference_mode()
def slow(model: LanguageModel, scale: float, sampler: Sampler) -> tuple[list[int], list[float], int]:
    """ids, KL after braking, tokens braked: no cache, no batch, one forward pass over everything for every try."""
    ids: list[int] = []
    factors: list[float] = []
    found: list[float] = []

    def steered() -> torch.Tensor:
        def push(_module: object, _inputs: object, output: Any) -> Any:
            hidden = hidden_of(output).clone()
            delta = (4.0 * scale * DIRECTION).expand(len(factors), -1)
            written = hidden[0, len(IDS) - 1 :]
            most = written.norm(dim=-1, keepdim=True) / delta.norm(dim=-1, keepdim=True)
            hidden[0, len(IDS) - 1 :] += delta * most.clamp_max(1.0) * torch.tensor(factors)[:, None]
            return with_hidden(output, hidden)

        handle = model.blocks.modules[1].register_forward_hook(push)
        try:
            return model.network(input_ids=model.tensor([IDS + ids]), use_cache=False).logits[0, -1].float()
        finally:
            handle.remove()

    for _ in range(N_TOKENS):
        base = whole(model, IDS + ids)[1][-1].float()
        factors.append(1.0)
        for attempt in range(TRIES + 1):
            kl = float(kl_per_token(steered(), base))
            if kl <= BRAKE_NATS:
                break
            factors[-1] *= math.sqrt(AIM * BRAKE_NATS / kl) if attempt < TRIES else 0.0
        logits = steered()
        found.append(float(kl_per_token(logits, base)))
        logits[repeating(ids)] = -math.inf
        ids += choose(logits[None], [sampler])
    return ids, found, sum(factor < 1 for factor in factors)


def test_it_writes_what_the_slow_way_writes(model: LanguageModel) -> None:
    scales = [1.0, 0.25, 4.0]
    found = guarded(model, [*scales, 0.0])
    for row, scale in enumerate(scales):
        ids, kl, braked = slow(model, scale, samplers(4)[row])
        assert found.ids[row] == ids
        torch.testing.assert_close(torch.tensor(found.kl[row]), torch.tensor(kl), atol=2e-4, rtol=2e-4)
        assert found.braked[row] == braked
    assert found.kl[3] == [] and found.braked[3] == 0


def test_the_brake_is_reached_and_moves_tokens_back(llama: LanguageModel) -> None:
    """The models are random: what is asked here is that there is something to brake."""
    loose, tight = (guarded(llama, [4.0, 4.0], brake=brake) for brake in (math.inf, 0.05))
    assert loose.braked == [0, 0] and max(map(max, loose.kl)) > 0.05
    assert all(tight.braked)
    # The first token has no steered past: it can always be brought within.
    assert all(kl[0] <= 0.05 for kl in tight.kl)


def test_a_row_is_written_alone_as_in_a_batch(model: LanguageModel) -> None:
    together = guarded(model, [4.0, 0.0, 1.0])
    for row, scale in enumerate([4.0, 0.0, 1.0]):
        alone = guarded(model, [scale], samplers=[samplers(3)[row]])
        assert alone.ids[0] == together.ids[row]
        assert alone.braked[0] == together.braked[row]


def test_rows_at_strength_zero_are_the_plain_ones_bit_for_bit(model: LanguageModel) -> None:
    plain = generate(model, window_of(model), len(IDS), samplers(3), max_tokens=N_TOKENS)
    for _ in plain:
        pass
    zero = guarded(model, [0.0, 0.0, 0.0])
    none = guarded(model, [0.0] * 3, interventions=[])
    assert zero.ids == none.ids == plain.ids
    assert zero.logprobs == none.logprobs == plain.logprobs
    beside = guarded(model, [4.0, 0.0, 4.0])
    assert beside.ids[1] == plain.ids[1]


def test_the_window_stays_as_it_was(llama: LanguageModel) -> None:
    window = window_of(llama)
    window.complete()
    layers = [*window._lower.layers, *window._upper.layers]
    before = [layer.keys.clone() for layer in layers]  # pyright: ignore
    steered = Guarded(llama, window, len(IDS), samplers(2), max_tokens=4, interventions=[add([4.0, 1.0])], brake=0.01)
    for _ in steered:
        pass
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(layers, before, strict=True))  # pyright: ignore


def test_hooks_stand_only_during_a_step(llama: LanguageModel) -> None:
    steered = Guarded(
        llama, window_of(llama), len(IDS), samplers(2), max_tokens=4, interventions=[add([4.0, 1.0])], brake=0.01
    )
    for _ in steered:
        assert not any(block._forward_hooks for block in llama.blocks.modules)


def test_a_finished_row_is_braked_no_more(llama: LanguageModel) -> None:
    steered = Guarded(
        llama, window_of(llama), len(IDS), samplers(2), max_tokens=6, interventions=[add([4.0, 4.0])], brake=0.01
    )
    next(steered)
    steered.finish(0)
    for _ in steered:
        pass
    assert len(steered.kl[0]) == 1 and steered.braked[0] == 1
    assert len(steered.kl[1]) == 6


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        ([], []),
        ([1, 2, 3], []),
        ([1, 2, 3, 4, 1, 2, 3], []),
        ([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3], [4]),
        ([1, 2, 3, 4, 1, 2, 3, 4, 9, 2, 3], []),
        ([7, 7, 7, 7], []),
        ([7, 7, 7, 7, 7], [7]),
        ([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], [4, 5]),
    ],
)
def test_a_token_that_would_repeat_four_a_third_time_is_found(ids: list[int], expected: list[int]) -> None:
    assert repeating(ids) == expected


def test_no_four_tokens_are_written_a_third_time(llama: LanguageModel) -> None:
    """Greedy, with a bias that makes one token the likeliest always."""
    bias = torch.zeros(llama.vocab_size)
    bias[65] = 100.0
    found = guarded(llama, [0.0], samplers=samplers(1, 0.0), bias=bias, max_tokens=20)
    assert found.ids[0][:5] == [65] * 5 and found.ids[0][5] != 65
    fours = [tuple(found.ids[0][at : at + 4]) for at in range(17)]
    assert max(fours.count(each) for each in fours) == 2
    assert found.held[0] >= 1


def test_a_row_that_may_choose_one_token_only_repeats_it(llama: LanguageModel) -> None:
    banned = set(range(llama.vocab_size)) - {65}
    assert guarded(llama, [0.0], banned=banned, max_tokens=9).ids[0] == [65] * 9


def test_a_prompt_of_one_token_can_be_braked(llama: LanguageModel) -> None:
    steered = Guarded(
        llama, window_of(llama, [5]), 1, samplers(1), max_tokens=3, interventions=[add([4.0])], brake=0.01
    )
    assert len(list(steered)) == 3 and steered.braked[0] == 3


@torch.inference_mode()
def slow_nucleus(model: LanguageModel, ids: list[int], share: float) -> set[int]:
    """The likeliest tokens after `ids` that together have `share`: sorted in plain Python."""
    found = model.network(input_ids=model.tensor([ids]), use_cache=False).logits[0, -1].float().softmax(dim=-1).tolist()
    kept: set[int] = set()
    total = 0.0
    for token in sorted(range(len(found)), key=lambda token: -found[token]):
        if total >= share:
            break
        kept.add(token)
        total += found[token]
    return kept


def test_a_steered_row_draws_from_what_its_unsteered_twin_finds_plausible(model: LanguageModel) -> None:
    wild = guarded(model, [1.0, 0.0], brake=math.inf)
    held = guarded(model, [1.0, 0.0], brake=math.inf, plausible=0.3)
    outside = 0
    for ids, is_held in ((wild.ids[0], False), (held.ids[0], True)):
        for at, token in enumerate(ids):
            inside = token in slow_nucleus(model, IDS + ids[:at], 0.3)
            assert inside or not is_held
            outside += not inside
    assert outside > 0
    # A row that is not steered draws as ever.
    assert held.ids[1] == wild.ids[1]
    assert held.ids[0] == guarded(model, [1.0], brake=math.inf, plausible=0.3).ids[0]


def test_where_nothing_plausible_may_be_chosen_the_row_draws_from_all(llama: LanguageModel) -> None:
    likely = slow_nucleus(llama, IDS, 0.01)
    held = guarded(llama, [1.0], brake=math.inf, plausible=0.01, max_tokens=1, banned=likely)
    assert held.ids[0][0] not in likely


def test_a_nucleus_is_the_fewest_of_the_likeliest_tokens() -> None:
    probabilities = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.25, 0.25, 0.25, 0.25]])
    assert nucleus(probabilities, 0.5)[0].tolist() == [False, True, False, False]
    assert nucleus(probabilities, 0.51)[0].tolist() == [False, True, False, True]
    assert nucleus(probabilities, 1e-9).sum(dim=-1).tolist() == [1, 1]
    assert nucleus(probabilities, 1.0).all()
    wide = torch.rand(3, 5000, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    assert (wide * nucleus(wide, 0.9)).sum(dim=-1).tolist() == pytest.approx([0.9] * 3, abs=1e-3)
