from __future__ import annotations

import pytest
import torch

from tests.sae.evaluation.toys import D, toy_sae
from undersong.sae.architectures import ARCHITECTURES
from undersong.sae.base import SAEConfig
from undersong.sae.evaluation.absorption import absorbed, absorption, letter_features
from undersong.sae.evaluation.sensitivity import Sensitivity, sensitivity


def rows(*vectors: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(vectors)


LETTER, WORD, OTHER = (1.0, 0.0), (0.6, 0.8), (0.0, 1.0)


@pytest.mark.parametrize(
    ("codes", "full", "fraction"),
    [
        ((2.0, 0.0, 1.0), 0.0, 0.0),  # the letter's own feature says it
        ((0.0, 5.0, 0.0), 1.0, 1.0),  # it is silent, the word's says it all
        ((0.0, 0.0, 5.0), 0.0, 0.0),  # silent, and nothing aligned stands in
        ((1.0, 2.0, 0.0), 0.0, 0.5),  # x.u = 2.2, m = 1, a = 1.2 but at most 1.2 left: 1.2 / 2.2
        ((0.0, 1.0, 9.0), 1.0, 1.0),  # p of the aligned is 0.6 of x.u = 0.6
    ],
)
def test_a_letter_is_absorbed_where_its_feature_is_silent_and_another_stands_in(
    codes: tuple[float, ...], full: float, fraction: float
) -> None:
    decoder, acts = rows(LETTER, WORD, OTHER), rows(codes)
    found = absorbed(acts @ decoder, acts, decoder, torch.tensor([3.0, 0.0]), [0])
    assert found == (full, pytest.approx(fraction if fraction != 0.5 else 1.2 / 2.2))


def test_a_second_feature_is_a_split_where_it_helps() -> None:
    n = 400
    random = torch.Generator().manual_seed(0)
    labels = torch.rand(n, generator=random) < 0.4
    first = torch.rand(n, generator=random) < 0.6
    codes = torch.rand(n, 6, generator=random) * 0.2
    codes[:, 2] = (labels & first) * 4.0
    codes[:, 4] = (labels & ~first) * 3.0
    test = torch.arange(n) % 3 == 0
    features, f1 = letter_features(codes, labels, test)
    assert features == [2, 4] and f1 == 1


def test_each_letter_that_the_model_can_spell_is_judged() -> None:
    # 60 words of two letters; the residual stream holds the letter and noise; feature 0 reads "a", feature 1 "b".
    words = [("a" if n % 2 else "b") + "wxyz"[n % 4] for n in range(80)]
    residuals = 0.05 * torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
    residuals[:, 0] += torch.tensor([word[0] == "a" for word in words]).float()
    residuals[:, 1] += torch.tensor([word[0] == "b" for word in words]).float()
    config = SAEConfig("standard", 4, 4, "blocks.0.hook_resid_post", 0)
    weights = {"W_enc": torch.eye(4), "W_dec": torch.eye(4), "b_enc": torch.full((4,), -0.3), "b_dec": torch.zeros(4)}
    sae = ARCHITECTURES["standard"]("0", config, weights)
    found = absorption(sae, words, residuals, torch.arange(80) % 3 == 0)
    assert found.measured and found.probe_f1 == 1 and [each.letter for each in found.letters] == ["a", "b"]
    assert (found.full, found.fraction, found.splits) == (0, 0, 1)


def test_where_the_model_cannot_spell_nothing_is_said() -> None:
    words = [letter + "ord" for letter in "abcdefgh" for _ in range(40)]
    noise = torch.randn(len(words), D, generator=torch.Generator().manual_seed(0))
    found = absorption(toy_sae(), words, noise, torch.arange(len(words)) % 2 == 0)
    assert not found.measured and found.tried == 8 and found.probe_f1 < 0.4


def test_sensitivity_is_the_share_of_new_passages_that_fire() -> None:
    asked: list[tuple[tuple[str, ...], int]] = []

    def write(shown, count):
        asked.append((tuple(shown), count))
        return ["the sea rose", "the sea fell", "sea air", "  ", "a lamp"]

    def read(texts, feature):
        assert feature == 7
        return [float("the sea" in text) for text in texts]

    found = sensitivity(7, ["sea air", "the sea"], ["lamp", "the sea again"], write, read)
    assert found == Sensitivity(7, fires=2 / 3, elsewhere=0.5, written=3)
    assert asked == [(("sea air", "the sea"), 10)]
    assert sensitivity(7, ["x"], [], lambda shown, count: [], read) is None
