from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.model.plain_sampling import choose_plainly
from undersong.errors import BadStrength
from undersong.model.language_model import LanguageModel
from undersong.model.sampling import Sampler, banned_bias, choose


def logits_of(probabilities: list[float]) -> torch.Tensor:
    return torch.tensor([probabilities]).log()


def counts(probabilities: list[float], n: int = 2000, **settings: float) -> list[float]:
    """How often each token comes, of `n` draws."""
    sampler = Sampler(seed=7, **settings)
    logits = logits_of(probabilities)
    drawn = torch.tensor([choose(logits, [sampler])[0] for _ in range(n)])
    return [round(float((drawn == token).float().mean()), 3) for token in range(len(probabilities))]


def test_temperature_zero_takes_the_likeliest() -> None:
    assert choose(torch.tensor([[0.0, 3.0, 1.0], [5.0, 0.0, 1.0]]), [Sampler(0), Sampler(0)]) == [1, 0]


def test_tokens_come_as_often_as_their_probability_says() -> None:
    assert counts([0.1, 0.6, 0.3]) == pytest.approx([0.1, 0.6, 0.3], abs=0.04)


def test_a_low_temperature_sharpens() -> None:
    assert counts([0.2, 0.8], temperature=0.5) == pytest.approx([0.04 / 0.68, 0.64 / 0.68], abs=0.04)


@pytest.mark.parametrize(
    ("top_p", "expected"),
    [(0.5, [0.0, 1.0, 0.0]), (0.6, [0.0, 1.0, 0.0]), (0.7, [0.0, 2 / 3, 1 / 3]), (0.95, [0.1, 0.6, 0.3])],
)
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p: float, expected: list[float]) -> None:
    assert counts([0.1, 0.6, 0.3], top_p=top_p) == pytest.approx(expected, abs=0.04)


def test_a_nucleus_wider_than_the_short_list_is_sorted_whole() -> None:
    logits = torch.zeros(1, 5000)
    drawn = {choose(logits, [sampler])[0] for sampler in [Sampler(top_p=0.9, seed=1)] for _ in range(300)}
    assert len(drawn) > 200 and max(drawn) > 1024


@given(
    st.integers(0, 10_000),
    st.sampled_from([0.0, 0.7, 1.0]),
    st.sampled_from([0.3, 0.9, 0.99]),
    st.sampled_from([20, 3000]),
    st.sampled_from([0.1, 1.0, 4.0]),
)
def test_a_choice_is_the_plain_references(
    seed: int, temperature: float, top_p: float, vocab: int, spread: float
) -> None:
    random = torch.Generator().manual_seed(seed)
    # Rounded, so that many are just as likely as others.
    logits = (torch.randn(3, vocab, generator=random) * spread).round(decimals=1)
    logits[:, 5:8] = float("-inf")
    chosen = choose(logits, [Sampler(temperature, top_p, seed, row) for row in range(3)])
    plain = [choose_plainly(logits[row], Sampler(temperature, top_p, seed, row)) for row in range(3)]
    assert chosen == plain


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.7, 1.0]), st.sampled_from([0.8, 1.0]))
def test_a_row_chooses_the_same_in_any_company(seed: int, temperature: float, top_p: float) -> None:
    logits = torch.randn(4, 3000, generator=torch.Generator().manual_seed(seed)) * 2
    company = [Sampler(temperature, top_p, seed, row) for row in range(3)] + [Sampler(1.3, 0.5, seed, 3)]
    together = choose(logits, company)
    assert together[:3] == [
        choose(logits[row : row + 1], [Sampler(temperature, top_p, seed, row)])[0] for row in range(3)
    ]


def test_rows_and_seeds_draw_different_numbers() -> None:
    first = {Sampler(seed=seed, row=row).draw() for seed in range(5) for row in range(5)}
    assert len(first) == 25
    assert Sampler(seed=3, row=1).draw() == Sampler(seed=3, row=1).draw()


@pytest.mark.parametrize("top_p", [0.5, 1.0])
def test_what_is_banned_never_comes(llama: LanguageModel, top_p: float) -> None:
    banned = set(range(2, llama.vocab_size))
    bias = banned_bias(llama, banned)
    assert bias is not None
    logits = torch.randn(1, llama.vocab_size) + bias
    sampler = Sampler(top_p=top_p)
    assert {choose(logits, [sampler])[0] for _ in range(200)} <= {0, 1}


def test_a_bias_is_added_to(llama: LanguageModel) -> None:
    assert banned_bias(llama, ()) is None
    bias = banned_bias(llama, {3}, torch.ones(llama.vocab_size))
    assert bias is not None and bias[2] == 1 and bias[3] == float("-inf")


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -0.1},
        {"temperature": float("nan")},
        {"temperature": float("inf")},
        {"top_p": 0.0},
        {"top_p": 1.1},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(BadStrength, match="expected a number"):
        Sampler(**settings)
