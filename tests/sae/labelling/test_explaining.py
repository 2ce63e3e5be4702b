from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.sae.labelling.texts import firings, passage
from undersong.errors import BadText
from undersong.sae.labelling.chat import Message
from undersong.sae.labelling.explaining import Explained, catalogue_name, explain, marked, parse
from undersong.sae.labelling.passages import Example
from undersong.sae.labelling.self_explanation import Tried, best, explain_itself


class Answers:
    """A chat that says what it is told to say and keeps what it was asked."""

    name = "stub"

    def __init__(self, *answers: str) -> None:
        self.answers, self.asked = list(answers), []

    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.asked.append([message.content for message in messages])
        return self.answers.pop(0)


def test_a_model_is_shown_marks_and_strengths() -> None:
    chat = Answers("EXPLANATION: The sea, named.\nNAME: The  Sea.")
    assert explain(chat, firings().strongest(0, 3, held=False)) == Explained("the sea", "The sea, named")
    system, user = chat.asked[0]
    assert "«marks»" in system and "«sea» rose over the harbour wall" in user and "strengths: sea 10" in user


class Narrow(Answers):
    """One that has no room for more than `most` passages."""

    def __init__(self, most: int) -> None:
        super().__init__("NAME: sea")
        self.most = most

    def ask(self, messages: Sequence[Message], max_tokens: int) -> str:
        if messages[1].content.count("strengths:") > self.most:
            raise BadText("no room")
        return super().ask(messages, max_tokens)


def test_a_model_without_room_for_all_is_shown_the_strongest() -> None:
    examples = firings().strongest(0, 10, held=False)
    narrow = Narrow(3)
    assert explain(narrow, examples).name == "sea"
    assert narrow.asked[0][1].startswith("1. ") and narrow.asked[0][1].count("strengths:") == 2
    with pytest.raises(BadText, match="no room"):
        explain(Narrow(0), examples)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0, 1, 0, 0), "The «sea» rose."),
        ((0, 1, 2, 0), "The «sea rose»."),
        ((0, 0, 1, 1), "The sea «rose.»"),
        ((0, 0, 0, 0), "The sea rose."),
        ((1, 0, 0, 1), "«The» sea rose«.»"),
    ],
)
def test_runs_of_active_tokens_are_marked_once(values: tuple[float, ...], expected: str) -> None:
    assert marked(Example(passage("The sea rose."), values)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("EXPLANATION: Ships.\nNAME: ships", Explained("ships", "Ships")),
        ("Thinking: NAME: no\n**Explanation:** Ships at sea.\n**Name:** *Ships*", Explained("ships", "Ships at sea")),
        ("explanation: Only this", Explained("only this", "Only this")),
        ("I cannot say.", Explained(None, "")),
    ],
)
def test_answers_are_read_as_models_write_them(answer: str, expected: Explained) -> None:
    assert parse(answer) == expected


def test_long_names_are_cut_at_a_word() -> None:
    assert catalogue_name("  Words About   the Sea. ") == "words about the sea"
    name = catalogue_name("word " * 40)
    assert name is not None and len(name) <= 60 and name.endswith("word")
    assert catalogue_name("x" * 90) == "x" * 60 and catalogue_name(" . ") is None


class Speaker:
    def __init__(self) -> None:
        self.spoke: list[tuple[int, float, int]] = []

    def tried(self, feature: int, scale: float) -> Tried:
        # Sure of itself and on the subject at 2.0.
        return Tried(scale, abs(scale - 2.0), -abs(scale - 2.0))

    def written(self, feature: int, scale: float, max_tokens: int) -> str:
        self.spoke.append((feature, scale, max_tokens))
        return ' A ship" or so.'


def test_the_scale_is_where_the_model_is_sure_and_on_the_subject() -> None:
    speaker = Speaker()
    found = explain_itself(speaker, 5)
    assert found.explained == Explained("a ship", "A ship") and speaker.spoke == [(5, 2.0, 24)]
    assert len(found.tried) == 10 and found.chosen.scale == 2.0
    # All alike: the first.
    assert best([Tried(1.0, 2.0, 0.5), Tried(2.0, 2.0, 0.5)]).scale == 1.0
