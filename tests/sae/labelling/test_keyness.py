from __future__ import annotations

import pytest
import torch

from tests.sae.labelling.texts import firings, passage, written
from undersong.sae.labelling.keyness import WordCounts, passage_words, stem, strong_words, token_words
from undersong.sae.labelling.passages import Example, Firings, Passage


def test_a_feature_is_named_by_the_words_it_is_strongest_on() -> None:
    found = firings()
    assert token_words(found, 0).name == '"sea"'
    both = token_words(found, 1)
    assert (both.name, both.named) == ('"snow"', ("snow",)) and dict(both.words)["roofs"] == pytest.approx(2.5 / 5.5)
    # Everywhere alike: no word has a third of it.
    assert token_words(found, 2).name is None
    assert token_words(found, 3).words == ()


@pytest.mark.parametrize(
    ("strengths", "expected"),
    [
        ({"the": 6.0, "sea": 1.0}, None),
        ({"the": 2.0, "and": 3.0}, None),
        ({"sea": 4.5, "and": 4.2, "rose": 2.4}, '"sea, and"'),
    ],
)
def test_function_words_alone_are_no_name(strengths: dict[str, float], expected: str | None) -> None:
    def codes(own: Passage) -> torch.Tensor:
        words = [own.text[start:end].strip().lower() for start, end in own.spans]
        return torch.tensor([[float(strengths.get(word, 0.0))] for word in words])

    found = token_words(Firings(1, ((each, codes(each)) for each in written())), 0)
    assert found.name == expected
    assert bool(found.named) == (expected is not None)


def test_of_passages_the_next_words_take_their_place() -> None:
    text = ["These are of the would", "Would these be of lamps", "Snow lay on slates", "Grey sea, high walls"]
    passages = [Passage(text[n % 4], ((0, len(text[n % 4])),), "book") for n in range(160)]
    codes = [torch.tensor([[3.0 * ("of" in each.text)]]) for each in passages]
    found = passage_words(Firings(1, zip(passages, codes, strict=True)), WordCounts(passages), 0)
    assert [word for word, _ in found.words][:3] == ["of", "these", "would"]
    assert (found.name, found.named) == ("lamps", ("lamps",))


def test_few_places_give_no_name() -> None:
    assert token_words(firings(12), 0).name is None


def test_tokens_are_given_the_whole_word_they_are_in() -> None:
    text = "the harbourmaster’s hut, he said"
    own = Passage(text, ((3, 11), (11, 19), (23, 24)), "book")
    assert strong_words(Example(own, (1.0, 2.0, 3.0)), 0.5) == [("harbourmaster’s", 2.0), (",", 3.0)]


def test_passages_are_named_by_words_that_others_lack() -> None:
    passages = [Passage(each.text, ((0, len(each.text)),), each.source) for each in written()]
    codes = [torch.tensor([[3.0 * ("sea" in each.text), 0.0]]) for each in passages]
    found = Firings(2, zip(passages, codes, strict=True))
    words = passage_words(found, WordCounts(passages), 0)
    assert words.name is not None
    assert set(words.named) <= {"sea", "rose", "harbour", "wall", "fell", "again", "grey", "over", "and"}
    assert "snow" not in dict(words.words) and "the" not in dict(words.words)
    assert passage_words(found, WordCounts(passages), 1).name is None


@pytest.mark.parametrize(
    ("word", "expected"), [("doors", "door"), ("running", "run"), ("stories", "story"), ("grass", "gras"), ("e", "e")]
)
def test_stems_are_rough(word: str, expected: str) -> None:
    assert stem(word) == expected


def test_example_helpers_agree() -> None:
    assert passage("The sea.").spans == ((0, 3), (3, 7), (7, 8))
