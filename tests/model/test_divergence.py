from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from tests.model.text import some_ids, whole
from undersong.hook_points import HookPoint
from undersong.model.divergence import divergence_steps, kl_per_token, steered_divergence
from undersong.model.generation import generate
from undersong.model.interventions import Intervention
from undersong.model.kv_cache import WindowCache
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler

Same = Callable[[Any, Any], None]

OPENINGS = [some_ids(10, seed) for seed in range(3)]
DIRECTION = torch.randn(1, 32, generator=torch.Generator().manual_seed(3))


def add(scale: list[float], strength: float = 2.0) -> Intervention:
    return Intervention(HookPoint(1), "add", DIRECTION, torch.tensor([strength]), scale=torch.tensor(scale))


def samplers() -> list[Sampler]:
    return [Sampler(1.0, 1.0, seed=2, row=row) for row in range(3)]


def test_divergence_is_in_nats_and_never_negative() -> None:
    p, q = torch.tensor([0.5, 0.25, 0.25]), torch.tensor([0.25, 0.25, 0.5])
    expected = (p * (p / q).log()).sum()
    torch.testing.assert_close(kl_per_token(p.log() + 3, q.log()), expected)
    logits = torch.randn(4, 5, 50)
    assert kl_per_token(logits, logits).eq(0).all()
    assert kl_per_token(logits, torch.randn(4, 5, 50)).shape == (4, 5)


def test_it_compares_with_the_unsteered_model_on_the_same_tokens(model: LanguageModel, same: Same) -> None:
    """Against the slow way: generate steered, then read the text with the plain network."""
    found = steered_divergence(model, OPENINGS, [add([1.0, 0.5, 2.0])], samplers(), max_tokens=6, banned={0})
    assert found.kl.shape == (3, 6)
    for row, (opening, ids) in enumerate(zip(OPENINGS, found.ids, strict=True)):
        window = WindowCache(model, (HookPoint(0),))
        window.extend(opening)
        alone = generate(
            model, window, 10, [samplers()[row]], max_tokens=6, interventions=[add([[1.0, 0.5, 2.0][row]])], banned={0}
        )
        list(alone)
        assert alone.ids[0] == ids
        base = whole(model, opening + ids)[1][9:-1].log_softmax(-1)
        steered = rebuilt(model, opening, ids, [1.0, 0.5, 2.0][row])
        same(found.kl[row], kl_per_token(steered, base))


def rebuilt(model: LanguageModel, opening: list[int], ids: list[int], scale: float) -> torch.Tensor:
    """Steered log probabilities [n, vocab], everything from the opening's last token on fed at once."""
    from undersong.model.interventions import steering

    window = WindowCache(model, (HookPoint(0),))
    window.extend(opening)
    cache = window.fork(9, 1)
    with torch.inference_mode(), steering(model, [add([scale])]):
        return model.logits(model.tensor([[opening[-1], *ids[:-1]]]), cache)[0].log_softmax(-1)


def test_an_unsteered_row_diverges_by_nothing(model: LanguageModel, same: Same) -> None:
    kl = steered_divergence(model, OPENINGS, [add([0.0, 1.0, 0.0])], samplers(), max_tokens=4).kl
    # Twins stand at other places of the batch, where sums may round differently.
    same(kl[[0, 2]], torch.zeros(2, 4))
    assert (kl[1] > 1e-3).all()


def test_stronger_steering_diverges_more(llama: LanguageModel) -> None:
    means = [
        steered_divergence(llama, OPENINGS, [add([1.0] * 3, strength)], samplers(), max_tokens=4).kl.mean()
        for strength in (0.1, 1.0, 4.0)
    ]
    assert means == sorted(means)


def test_it_can_be_run_step_by_step_and_stopped(llama: LanguageModel) -> None:
    at_once = steered_divergence(llama, OPENINGS, [add([1.0] * 3)], samplers(), max_tokens=4)
    steps = divergence_steps(llama, OPENINGS, [add([1.0] * 3)], samplers(), max_tokens=4)
    for index in range(3):
        step = next(steps)
        assert torch.equal(step.kl, at_once.kl[:, index])
    steps.close()
    assert not any(block._forward_hooks for block in llama.blocks.modules)


def test_openings_of_one_token_and_the_end_of_the_context_are_met(llama: LanguageModel) -> None:
    assert steered_divergence(llama, [[5], [6], [7]], [add([1.0] * 3)], samplers(), max_tokens=3).kl.shape == (3, 3)
    long = [some_ids(127, seed) for seed in range(3)]
    assert steered_divergence(llama, long, [add([1.0] * 3)], samplers(), max_tokens=9).kl.shape == (3, 2)
    assert steered_divergence(llama, OPENINGS, [add([1.0] * 3)], samplers(), max_tokens=0).kl.shape == (3, 0)


def test_openings_of_different_lengths_are_refused(llama: LanguageModel) -> None:
    with pytest.raises(ValueError, match="openings of one length"):
        next(divergence_steps(llama, [[1, 2], [3]], [add([1.0])], samplers()[:2], max_tokens=1))
