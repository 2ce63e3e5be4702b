"""Incremental reading against reading everything anew, on every architecture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.model.text import some_ids, whole
from undersong.errors import BadText, WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel

Same = Callable[[Any, Any], None]

IDS = some_ids(50)


def read(model: LanguageModel, ids: list[int], taps: tuple[int, ...] = (1, 2), chunk: int = 50) -> WindowCache:
    window = WindowCache(model, map(HookPoint, taps))
    for start in range(0, len(ids), chunk):
        window.extend(ids[start : start + chunk])
    return window


def next_logits(model: LanguageModel, window: WindowCache) -> torch.Tensor:
    """After all of the window's tokens, through its completed cache."""
    cache = window.fork(window.length - 1, 1)
    with torch.inference_mode():
        return model.logits(model.tensor([[window.ids[-1]]]), cache)[0, -1]


def test_a_window_read_at_once_has_the_residuals_of_the_plain_network(model: LanguageModel, same: Same) -> None:
    expected, _ = whole(model, IDS)
    fresh = WindowCache(model, (HookPoint(0), HookPoint(2))).extend(IDS)
    assert set(fresh) == {HookPoint(0), HookPoint(2)}
    for layer in (0, 2):
        same(fresh[HookPoint(layer)], expected[layer])


@pytest.mark.parametrize("chunk", [1, 7, 16])
def test_reading_in_chunks_gives_the_same_residuals(model: LanguageModel, same: Same, chunk: int) -> None:
    expected, _ = whole(model, IDS)
    window = read(model, IDS, chunk=chunk)
    for layer in (1, 2):
        same(window.read(HookPoint(layer)), expected[layer])


def test_cropping_and_reading_on_is_reading_anew(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    for keep, seed in ((30, 1), (5, 2), (41, 3)):
        window.crop(min(keep, window.length))
        window.extend(some_ids(50 - window.length, seed))
        expected, logits = whole(model, window.ids)
        for layer in (1, 2):
            same(window.read(HookPoint(layer)), expected[layer])
        same(next_logits(model, window), logits[-1])


def test_a_window_cropped_to_nothing_starts_anew(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    window.complete()
    window.crop(0)
    assert (window.length, window.completed) == (0, 0)
    window.extend(IDS[10:30])
    same(window.read(HookPoint(2)), whole(model, IDS[10:30])[0][2])
    same(next_logits(model, window), whole(model, IDS[10:30])[1][-1])


@pytest.mark.parametrize("top", [0, 2, 3])
def test_completing_gives_the_keys_and_values_of_a_full_forward(model: LanguageModel, same: Same, top: int) -> None:
    window = read(model, IDS, taps=(top,), chunk=20)
    assert window.complete() == 0
    assert window.completed == 50
    with torch.inference_mode():
        full = model.network(input_ids=model.tensor([IDS]), use_cache=True).past_key_values
    forked: list[Any] = window.fork(50, 1).layers
    assert len(forked) == model.n_layers
    for kept, layer, expected in zip(model.kept, forked, full.layers, strict=True):
        for at in range(kept.states):
            same(layer.conv_states[at], expected.conv_states[at])
            same(layer.recurrent_states[at], expected.recurrent_states[at])
        if kept.attends:
            held = layer.attention if kept.states else layer
            # transformers' sliding layers keep the last of them only.
            n = expected.keys.shape[-2]
            same(held.keys[..., -n:, :], expected.keys)
            same(held.values[..., -n:, :], expected.values)


def test_completing_in_steps_and_after_crops_gives_the_same_logits(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    assert window.complete(upto=40, limit=15) == 25
    assert window.complete(limit=15) == 20
    window.crop(25)
    assert window.completed == 25
    window.extend(IDS[25:45])
    assert window.completed == 25
    assert window.complete(limit=100) == 0
    assert window.complete(upto=10) == 0
    same(next_logits(model, window), whole(model, IDS[:45])[1][-1])


def test_reading_runs_no_block_above_the_highest_tap(llama: LanguageModel) -> None:
    ran: list[int] = []
    handles = [
        block.self_attn.register_forward_hook(lambda *_, index=index: ran.append(index))
        for index, block in enumerate(llama.blocks.modules)
    ]
    try:
        window = WindowCache(llama, (HookPoint(0), HookPoint(1)))
        window.extend(IDS)
        assert ran == [0, 1]
        ran.clear()
        window.complete()
        assert ran == [2, 3]
    finally:
        for handle in handles:
            handle.remove()


def test_a_fork_continues_the_text_in_every_row(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    cache = window.fork(40, 3)
    rows = [some_ids(8, seed) for seed in (1, 2, 3)]
    with torch.inference_mode():
        parts = [model.logits(model.tensor([row[i : i + 1] for row in rows]), cache) for i in range(8)]
    found = torch.cat(parts, dim=1)
    for row, ids in enumerate(rows):
        same(found[row], whole(model, IDS[:40] + ids)[1][40:])


def test_a_fork_of_nothing_starts_a_text(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    cache = window.fork(0, 2)
    with torch.inference_mode():
        found = model.logits(model.tensor([IDS[:5]] * 2), cache)
    same(found[1], whole(model, IDS[:5])[1])


def test_neither_window_nor_fork_sees_what_the_other_does_later(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    cache = window.fork(40, 1)
    window.crop(10)
    window.extend(some_ids(40, 5))
    window.complete()
    with torch.inference_mode():
        found = model.logits(model.tensor([IDS[40:45]]), cache)
    same(found[0], whole(model, IDS[:45])[1][40:])


def test_a_fork_outgrows_its_room(llama: LanguageModel, same: Same) -> None:
    window = read(llama, IDS[:20])
    cache = window.fork(20, 1)
    more = some_ids(100, 4)
    with torch.inference_mode():
        parts = [llama.logits(llama.tensor([more[i : i + 1]]), cache) for i in range(100)]
    same(torch.cat(parts, dim=1)[0], whole(llama, IDS[:20] + more)[1][20:])


def test_the_rows_of_a_fork_can_be_picked_and_cropped(llama: LanguageModel, same: Same) -> None:
    cache = read(llama, IDS).fork(30, 2)
    with torch.inference_mode():
        llama.logits(llama.tensor([IDS[30:35], some_ids(5, 1)]), cache)
        cache.batch_select_indices(torch.tensor([0]))
        cache.crop(-3)
        found = llama.logits(llama.tensor([IDS[32:40]]), cache)
    same(found[0], whole(llama, IDS[:40])[1][32:])


def test_a_read_that_fails_leaves_the_window_as_it_was(llama: LanguageModel, same: Same) -> None:
    window = read(llama, IDS[:30])

    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    for block, action in ((1, lambda: window.extend(IDS[30:])), (3, window.complete)):
        handle = llama.blocks.modules[block].self_attn.register_forward_hook(fail)
        try:
            with pytest.raises(RuntimeError, match="no memory"):
                action()
        finally:
            handle.remove()
        assert (window.length, window.completed) == (30, 0)
    window.extend(IDS[30:])
    same(window.read(HookPoint(2)), whole(llama, IDS)[0][2])
    same(next_logits(llama, window), whole(llama, IDS)[1][-1])


def test_more_than_the_context_is_refused_and_nothing_is_read(llama: LanguageModel) -> None:
    window = read(llama, some_ids(120))
    with pytest.raises(BadText, match="129 tokens do not fit the model's context of 128"):
        window.extend(some_ids(9))
    assert window.length == 120
    window.extend(some_ids(8))
    assert window.length == 128


def test_reading_nothing_gives_nothing(llama: LanguageModel) -> None:
    window = WindowCache(llama, (HookPoint(1),))
    assert window.extend([])[HookPoint(1)].shape == (0, llama.d_model)
    assert window.read(HookPoint(1)).shape == (0, llama.d_model)
    assert window.complete() == 0


def test_what_is_returned_stays_after_the_window_changes(llama: LanguageModel) -> None:
    window = WindowCache(llama, (HookPoint(1),))
    fresh = window.extend(IDS)[HookPoint(1)]
    before = fresh.clone()
    window.crop(0)
    window.extend(some_ids(50, 9))
    assert torch.equal(fresh, before)


def test_memory_is_counted(llama: LanguageModel) -> None:
    window = read(llama, IDS[:40], taps=(1,))
    lower = 2 * 2 * 2 * 40 * 8 * 4  # blocks, keys and values, heads, tokens, width, bytes
    residuals = 80 * 32 * 4  # room for twice the tokens
    assert window.nbytes == lower + residuals
    window.complete()
    assert window.nbytes == 2 * lower + residuals


def test_a_window_that_would_keep_nothing_or_what_is_not_there_is_refused(llama: LanguageModel) -> None:
    with pytest.raises(ValueError, match="expected at least one hook point"):
        WindowCache(llama, ())
    with pytest.raises(WeightsFormat, match="expected a block from 0 to 3, found 4"):
        WindowCache(llama, (HookPoint(1), HookPoint(4)))


def test_the_sliding_window_of_the_test_model_matters() -> None:
    """Otherwise the checks above would prove nothing about sliding windows."""
    from tests.model.conftest import tiny

    gemma = tiny("gemma2")
    assert gemma.sliding_window == 12
    changed = [IDS[0] + 1, *IDS[1:]]
    first, second = whole(gemma, IDS)[0][0], whole(gemma, changed)[0][0]
    assert not torch.allclose(first[11], second[11])
    assert torch.allclose(first[12:], second[12:])


def test_a_branch_is_read_on_as_a_window_of_its_own(model: LanguageModel, same: Same) -> None:
    window = read(model, IDS)
    branch = window.branch(30)
    branch.extend([7, 8, 9])
    again = branch.branch(33)
    again.extend([10])
    window.extend([11])
    for mine, ids in ((window, [*IDS, 11]), (branch, [*IDS[:30], 7, 8, 9]), (again, [*IDS[:30], 7, 8, 9, 10])):
        slow = read(model, ids)
        assert mine.ids == ids
        for layer in (1, 2):
            same(mine.read(HookPoint(layer)), slow.read(HookPoint(layer)))
        same(next_logits(model, mine), next_logits(model, slow))
    with pytest.raises(ValueError, match="branch: expected 0 to 51 tokens, found 52"):
        window.branch(52)
