"""Models with recurrent states: whatever is cropped, read on, completed and forked, it is what reading anew gives."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    BambaConfig,
    GraniteMoeHybridConfig,
    JambaConfig,
    MiniMaxConfig,
    OlmoHybridConfig,
    Qwen3_5TextConfig,
    Qwen3NextConfig,
)

from tests.model.conftest import tiny
from tests.model.text import some_ids, whole
from tests.support.tiny_models import RECURRENT, random_network, tiny_tokenizer
from undersong.errors import WeightsFormat
from undersong.hook_points import HookPoint
from undersong.model.guarded import Guarded
from undersong.model.interventions import Intervention, Steering
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel, describe
from undersong.model.recurrent import COPIES, Recurrent, states_of
from undersong.model.sampling import Sampler
from undersong.model.steps import NetworkSteps, alone

Same = Callable[[Any, Any], None]

IDS = some_ids(60)
WIDE: dict[str, Any] = {
    "vocab_size": 272, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "initializer_range": 0.2,
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 128,
}  # fmt: skip
DELTA: dict[str, Any] = {
    "linear_conv_kernel_dim": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8, "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}  # fmt: skip
MAMBA: dict[str, Any] = {
    "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8, "mamba_chunk_size": 16,
}  # fmt: skip
ATTENDS_LATE = ["linear_attention", "linear_attention", "linear_attention", "full_attention"]
MORE: dict[str, Callable[[], Any]] = {
    "qwen3.5": lambda: Qwen3_5TextConfig(**WIDE, **DELTA, head_dim=8, layer_types=ATTENDS_LATE),
    "qwen3-next, experts": lambda: Qwen3NextConfig(
        **WIDE, **DELTA, head_dim=8, layer_types=ATTENDS_LATE, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=16, shared_expert_intermediate_size=16,
    ),
    "olmo-hybrid": lambda: OlmoHybridConfig(
        **WIDE, **DELTA, layer_types=["linear_attention", "full_attention", "linear_attention", "full_attention"]
    ),
    "granite": lambda: GraniteMoeHybridConfig(
        **WIDE, **MAMBA, layer_types=["mamba", "attention", "mamba", "attention"], num_local_experts=0,
        shared_intermediate_size=32,
    ),
}  # fmt: skip


def made(config: Any) -> LanguageModel:
    return describe(random_network(config), tiny_tokenizer(), config.model_type)


@cache
def model_of(name: str) -> LanguageModel:
    return made(MORE[name]()) if name in MORE else tiny(name)


@pytest.fixture(params=[*RECURRENT, *MORE])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return model_of(request.param)


def window_of(model: LanguageModel, ids: list[int] = IDS, top: int = 1, chunk: int = 60) -> WindowCache:
    window = WindowCache(model, (HookPoint(0), HookPoint(top)))
    for start in range(0, len(ids), chunk):
        window.extend(ids[start : start + chunk])
    return window


def after(model: LanguageModel, window: WindowCache, n: int, ids: list[int], rows: int = 1) -> torch.Tensor:
    """Logits [rows, len(ids), vocab] of `ids` fed one by one after the window's first n tokens."""
    fork = window.fork(n, rows)
    with torch.inference_mode():
        return torch.cat([model.logits(model.tensor([[token]] * rows), fork) for token in ids], dim=1)


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["qwen3-next", "falcon-h1", "nemotron-h", "qwen3.5", "olmo-hybrid", "granite"])
def test_the_states_of_the_test_models_matter(name: str) -> None:
    """Otherwise the checks here would prove nothing: a convolution alone sees four tokens."""
    model = model_of(name)
    assert not model.kept[0].attends or model.kept[0].states
    first, second = whole(model, IDS)[0][0], whole(model, [IDS[0] + 1, *IDS[1:]])[0][0]
    assert (first[12] - second[12]).abs().max() > 1e-3


@pytest.mark.parametrize("name", RECURRENT)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_row_of_edits_is_reading_anew(name: str, data: st.DataObject) -> None:
    """The tap at block 0 lies below all attention in some models."""
    model = tiny(name)
    top = data.draw(st.integers(0, 3))
    window = WindowCache(model, (HookPoint(top),))
    for _ in range(data.draw(st.integers(1, 8))):
        action = data.draw(st.sampled_from(("extend", "crop", "complete", "fork", "branch")))
        at = data.draw(st.integers(0, window.length))
        match action:
            case "extend":
                window.extend(some_ids(min(data.draw(st.integers(1, 30)), 100 - window.length), seed=at))
            case "crop":
                window.crop(at)
            case "complete":
                window.complete(at, data.draw(st.integers(1, 20)))
            case "fork":
                ids = [*window.ids[:at], 5, 6]
                close(after(model, window, at, [5, 6])[0], whole(model, ids)[1][-2:])
            case _:
                window = window.branch(at)
    if window.length:
        residuals, logits = whole(model, window.ids)
        close(window.read(HookPoint(top)), residuals[top])
        close(after(model, window, window.length - 1, window.ids[-1:])[0, 0], logits[-1])


def test_rows_are_those_of_the_whole_text_read_at_once_wherever_they_begin(model: LanguageModel) -> None:
    window = window_of(model, chunk=13)
    for n in (0, 1, 3, 12, 13, 40, 59, 60):
        ids = [*IDS[:n], *some_ids(5, seed=n)]
        found = after(model, window, n, ids[n:], rows=3)
        for row in found:
            close(row, whole(model, ids)[1][n:])
    # A batch is what each of its rows is alone.
    close(after(model, window, 30, IDS[30:35], rows=4)[2], after(model, window, 30, IDS[30:35])[0])


def test_rows_do_not_see_each_other_nor_the_window_them(model: LanguageModel) -> None:
    window = window_of(model, chunk=20)
    fork = window.fork(40, 2)
    rows = [some_ids(6, 1), some_ids(6, 2)]
    with torch.inference_mode():
        first = model.logits(model.tensor([[row[0]] for row in rows]), fork)
        window.crop(30)
        window.extend(some_ids(20, 3))
        rest = model.logits(model.tensor([row[1:] for row in rows]), fork)
    for row, ids in enumerate(rows):
        close(torch.cat([first, rest], dim=1)[row], whole(model, IDS[:40] + ids)[1][40:])
    close(after(model, window, 49, window.ids[-1:])[0], whole(model, window.ids)[1][-1:])


def test_a_token_that_is_taken_back_was_never_fed(model: LanguageModel) -> None:
    for n in (0, 1, 25):
        steps = NetworkSteps(model, window_of(model).fork(n, 2), Steering(model, ()))
        ids = some_ids(4, seed=n)
        with torch.inference_mode():
            for token in ids:
                alone(steps.asked([token + 1, token]))
                steps.take_back()
                alone(steps.asked([7, 7]))
                steps.take_back()
                found = alone(steps.asked([token, token]))
        assert steps.length == n + 4
        close(found[1], whole(model, IDS[:n] + ids)[1][-1])


def test_braked_as_far_as_it_goes_a_row_is_the_unsteered_one(model: LanguageModel) -> None:
    """Each token is tried several times, and nothing of that stays in a row's states."""
    direction = torch.randn(1, 32, generator=torch.Generator().manual_seed(3))

    def written(strength: float) -> Guarded:
        steered = Intervention(HookPoint(1), "add", direction, torch.tensor([strength]))
        samplers = [Sampler(0.0, 1.0, seed=2, row=row) for row in range(2)]
        found = Guarded(model, window_of(model), 40, samplers, max_tokens=8, interventions=[steered], brake=0.0)
        for _ in found:
            pass
        return found

    expected: list[int] = []
    for _ in range(8):
        expected.append(int(whole(model, [*IDS[:40], *expected])[1][-1].argmax()))
    assert written(0.0).ids == [expected] * 2
    braked = written(6.0)
    assert braked.ids == [expected] * 2
    assert braked.braked == [8, 8]


def test_an_edit_runs_no_more_than_a_window(model: LanguageModel) -> None:
    """Copies of the states lie close to the end, so that one there runs little."""
    ran: list[int] = []
    window = WindowCache(model, (HookPoint(1),))
    ids = some_ids(112)
    for start in range(0, 112, 4):
        window.extend(ids[start : start + 4])
    handle = model.blocks.modules[0].register_forward_pre_hook(
        lambda _module, args, kwargs: ran.append((args[0] if args else kwargs["hidden_states"]).shape[1]),
        with_kwargs=True,
    )
    try:
        for at, most in ((110, 16), (100, 48), (50, 112)):
            ran.clear()
            window.crop(at)
            window.extend(ids[at:])
            assert sum(ran) <= most
            ran.clear()
            window.crop(at)
            window.extend(ids[at:])
            # Where the last edit was there is a copy.
            assert sum(ran) == 112 - at
    finally:
        handle.remove()
    close(window.read(HookPoint(1)), whole(model, ids)[0][1])


def test_copies_are_few_and_counted(model: LanguageModel) -> None:
    window = WindowCache(model, (HookPoint(3),))
    window.extend(IDS[:2])
    two = window.nbytes
    for token in IDS[2:]:
        window.extend([token])
    lower = window._lower
    assert isinstance(lower, Recurrent)
    assert len(lower._copies) == COPIES
    assert max(lower._copies) == 60
    states = [state for state in states_of(window.fork(60, 1).layers) if state is not None]
    held = sum(t.nbytes for state in states for t in (*state.conv, *state.recurrent) if t is not None)
    assert window.nbytes >= two + (COPIES - 1) * held
    window.crop(0)
    assert not lower._copies


def test_a_window_is_gone_with_the_last_who_holds_it(model: LanguageModel) -> None:
    """Without waiting for the collector: its memory is wanted."""
    window = window_of(model)
    window.complete()
    gone = weakref.ref(window)
    gc.disable()
    try:
        del window
        assert gone() is None
    finally:
        gc.enable()


def test_a_read_that_fails_leaves_the_window_as_it_was(model: LanguageModel) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory")

    window = window_of(model, IDS[:30], chunk=11)
    window.crop(25)
    forked = (1, lambda: window.fork(25, 1))
    for block, action in ((1, lambda: window.extend(IDS[25:])), (3, window.complete), forked):
        handle = model.blocks.modules[block].register_forward_hook(fail)
        try:
            with pytest.raises(RuntimeError, match="no memory"):
                action()
        finally:
            handle.remove()
        assert window.length == 25
        assert window.completed in ((0, 25) if (block, action) == forked else (0,))
    window.extend(IDS[25:])
    close(window.read(HookPoint(1)), whole(model, IDS)[0][1])
    close(after(model, window, 59, IDS[59:])[0], whole(model, IDS)[1][-1:])


def test_reading_runs_no_block_above_the_highest_tap(model: LanguageModel) -> None:
    ran: list[int] = []
    inner = [next(block.children()) for block in model.blocks.modules]
    handles = [m.register_forward_hook(lambda *_, index=index: ran.append(index)) for index, m in enumerate(inner)]
    try:
        window = window_of(model)
        assert ran == [0, 1]
        ran.clear()
        window.complete()
        assert ran == [2, 3]
    finally:
        for handle in handles:
            handle.remove()


def test_the_stream_between_blocks_is_offered_and_more_is_refused_clearly(model: LanguageModel) -> None:
    assert {"resid_pre", "resid_post"} <= set(model.sites.known)
    with pytest.raises(WeightsFormat, match=r"found attn_z, which this architecture does not have"):
        model.sites.place(HookPoint(0, "attn_z"))


@pytest.mark.parametrize(
    ("config", "found"),
    [
        (lambda: BambaConfig(**WIDE, **MAMBA, attn_layer_indices=[2]), "other logits for a text read in parts"),
        (lambda: JambaConfig(**WIDE, attn_layer_period=2, attn_layer_offset=1, num_experts=2, mamba_d_state=8,
                             mamba_dt_rank=4), "other logits for a text read in parts"),
        (lambda: MiniMaxConfig(**WIDE, head_dim=8, num_local_experts=2), "ValueError: MiniMax uses cache of its own"),
    ],
)  # fmt: skip
def test_networks_that_do_not_go_on_from_their_states_are_refused(config: Callable[[], Any], found: str) -> None:
    """transformers computes them so that only a whole text, or one token more, comes out right."""
    with pytest.raises(WeightsFormat, match=f"expected recurrent blocks that go on from their states; found {found}"):
        made(config())


def test_what_no_cache_of_ours_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import cache_utils

    class Compressed(cache_utils.DynamicLayer):
        pass

    llama = tiny("llama")
    monkeypatch.setitem(cache_utils.DYNAMIC_LAYER_TYPE_MAPPING, "full_attention", Compressed)
    with pytest.raises(WeightsFormat, match=r"llama: expected blocks that keep .*, found Compressed in block 0"):
        describe(llama.network, tiny_tokenizer(), "llama")
