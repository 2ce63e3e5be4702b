from __future__ import annotations

import random

import pytest

from tests.sae.labelling.test_explaining import Answers
from tests.sae.labelling.texts import firings, passage
from undersong.sae.labelling.passages import Example
from undersong.sae.labelling.scoring import (
    balanced_accuracy,
    chat_judge,
    detection,
    fuzzing,
    lexical,
    parse,
    wrongly_marked,
)


def test_a_judge_who_knows_scores_one_and_one_who_guesses_a_half() -> None:
    found = firings()
    seen: list[str] = []

    def knows(said: str, texts) -> list[bool]:
        seen.extend(texts)
        return ["sea" in text for text in texts]

    score = detection(found, 0, "the sea", knows, per_side=10)
    assert score is not None and score.value == 1 and score.passages == 20
    assert sum("sea" in text for text in seen) == 10
    always = detection(found, 0, "the sea", lambda said, texts: [True] * len(texts), per_side=10)
    assert always is not None and always.value == 0.5


def test_a_fuzzing_judge_tells_right_marks_from_wrong_ones() -> None:
    found = firings()
    right = fuzzing(found, 0, "the sea", lambda said, texts: ["«sea»" in text for text in texts], per_side=10)
    assert right is not None and right.value == 1 and right.passages == 20
    by_passage = fuzzing(found, 0, "the sea", lambda said, texts: ["sea" in text for text in texts], per_side=10)
    assert by_passage is not None and by_passage.value == 0.5


def test_as_many_others_are_marked() -> None:
    example = Example(passage("The sea rose, grey."), (0, 1, 1, 0, 0, 0))
    wrong = wrongly_marked(example, random.Random(0))
    assert wrong is not None and sum(wrong.values) == 2 and wrong.values[1:3] == (0, 0)
    assert wrongly_marked(Example(passage("The sea."), (1, 1, 0)), random.Random(0)) is None
    assert wrongly_marked(Example(passage("The sea."), (0, 0, 0)), random.Random(0)) is None


def test_words_are_judges_too() -> None:
    score = detection(firings(), 1, "", lexical(["roof"]), per_side=10)
    assert score is not None and score.value == 1


def test_few_passages_and_unclear_answers_give_no_score() -> None:
    assert detection(firings(), 3, "never", lexical(["sea"])) is None
    assert detection(firings(), 2, "always", lexical(["sea"])) is None
    assert detection(firings(), 0, "the sea", lambda said, texts: None) is None


@pytest.mark.parametrize(
    ("answer", "count", "expected"),
    [
        ("[1, 0, 1]", 3, [True, False, True]),
        ("First [0, 0], so: [1,0]", 2, [True, False]),
        ("[1 0 1]", 3, [True, False, True]),
        ("[1, 0]", 3, None),
        ("yes", 1, None),
    ],
)
def test_lists_are_read_from_answers(answer: str, count: int, expected: list[bool] | None) -> None:
    assert parse(answer, count) == expected


def test_a_chat_is_asked_for_a_list_of_that_length() -> None:
    chat = Answers("[1, 0]")
    assert chat_judge(chat, "fuzzing")("ships", ["a «ship»", "a «lamp»"]) == [True, False]
    system, user = chat.asked[0]
    assert "2 numbers" in system and "marked text" in system
    assert user == "Description: ships\n\n1. a «ship»\n2. a «lamp»"


def test_accuracy_is_balanced() -> None:
    assert balanced_accuracy([True] * 2 + [False] * 8, [True, False] + [False] * 8) == pytest.approx(0.75)
