"""One feature's label: its name by one of four ways, its scores, its evidence; or the scores of a name that it has."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Literal

from undersong.engine.labelling import Effects
from undersong.engine.self_explaining import ModelSpeaker
from undersong.engine.subject import ModelSubject
from undersong.sae.labelling.chat import Chat
from undersong.sae.labelling.explaining import SHOWN, Explained, explain
from undersong.sae.labelling.keyness import (
    FUNCTION_WORDS,
    PROVENANCE_PASSAGE,
    PROVENANCE_TOKEN,
    WORD,
    KeyWords,
    WordCounts,
    passage_words,
    token_words,
)
from undersong.sae.labelling.labels import Label
from undersong.sae.labelling.passages import Example, Firings
from undersong.sae.labelling.scoring import Score, chat_judge, detection, fuzzing, lexical
from undersong.sae.labelling.self_explanation import explain_itself
from undersong.wire import Passage

Way = Literal["keyness", "endpoint", "local", "self", "neuronpedia"]

EVIDENCE = 5
CHARACTERS = 76
FEWEST = 4
"""Passages without which nobody is asked."""
BY_WORDS = "the words of the name"
# What descriptions are made of, whatever they describe.
_COMMON = FUNCTION_WORDS | {
    "feature", "mention", "mentions", "passage", "passages", "phrase", "phrases", "reference", "references", "related",
    "text", "token", "tokens", "used", "word", "words",
}  # fmt: skip


class Naming:
    """`chat`: who is asked for names (ways endpoint and local) and for scores; None: words judge.

    Of the way neuronpedia names are there already and `scored` is all that is asked.
    """

    def __init__(self, subject: ModelSubject, firings: Firings, way: Way, chat: Chat | None, per_side: int) -> None:
        self._subject, self._firings, self._way, self._chat = subject, firings, way, chat
        self._per_side = per_side
        self._counts = WordCounts(firings.passages) if subject.sae.grain == "passage" else None
        self._speaker = ModelSpeaker(subject.model, subject.sae) if way == "self" else None
        # Labels may be made side by side, waiting for an endpoint; the model runs for one at a time.
        self._alone = Lock()

    def label(self, feature: int) -> Label:
        words = self._words(feature)
        strongest = self._firings.strongest(feature, SHOWN, held=False)
        explained, provenance = self._explained(feature, strongest, words)
        with self._alone:
            promoted, suppressed = self._effects.of(feature)
        # A name of key words is tried by just those; "the words" of another by the words it has.
        named = words.named if self._way == "keyness" else ()
        label = Label(
            feature=feature,
            name=explained.name,
            explanation=explained.explanation,
            provenance=provenance if explained.name else "unnamed",
            words=tuple(word for word, _ in words.words),
            frequency=self._firings.frequency(feature),
            maximum=self._firings.maximum(feature) or None,
            promoted=promoted,
            suppressed=suppressed,
            passages=tuple(map(evidence, strongest[:EVIDENCE])),
        )
        return self.scored(label, named)

    def scored(self, label: Label, named: tuple[str, ...] = ()) -> Label:
        """`label` with its scores on the held-out passages: by whoever is asked, else by whether the words `named`, or
        those of the name, are there."""
        if not label.name:
            return label
        said, feature = label.explanation or label.name, label.feature
        if self._chat is None:
            judge = lexical(named or content_words(label.name))
            return _judged(label, detection(self._firings, feature, said, judge, self._per_side), None, BY_WORDS)
        found = detection(self._firings, feature, said, chat_judge(self._chat, "detection"), self._per_side)
        fuzzed = fuzzing(self._firings, feature, said, chat_judge(self._chat, "fuzzing"), self._per_side)
        return _judged(label, found, fuzzed, self._chat.name)

    @cached_property
    def _effects(self) -> Effects:
        return Effects(self._subject, self._firings.passages[0].text if self._firings.passages else "")

    def _words(self, feature: int) -> KeyWords:
        if self._counts is not None:
            return passage_words(self._firings, self._counts, feature)
        return token_words(self._firings, feature)

    def _explained(self, feature: int, strongest: list[Example], words: KeyWords) -> tuple[Explained, str]:
        if self._way == "keyness":
            provenance = PROVENANCE_PASSAGE if self._counts is not None else PROVENANCE_TOKEN
            return Explained(words.name, ""), provenance
        if len(strongest) < FEWEST:
            return Explained(None, ""), "unnamed"
        if self._speaker is not None:
            found = explain_itself(self._speaker, feature)
            return found.explained, f"said by the model itself, its direction {found.chosen.scale:g} times the stream"
        assert self._chat is not None
        return explain(self._chat, strongest), f"{self._chat.name}: its strongest passages"


def content_words(name: str) -> tuple[str, ...]:
    """The words of a name that tell something; all of them where none does."""
    words = tuple(WORD.findall(name.lower()))
    return tuple(word for word in words if word not in _COMMON) or words


def evidence(example: Example) -> Passage:
    """The passage about its peak, on one line. A passage of the passage grain is all peak."""
    text = example.passage.text
    start, end = example.peak
    return Passage(
        text[:start].replace("\n", " ")[-CHARACTERS:],
        text[start:end].replace("\n", " "),
        text[end:].replace("\n", " ")[:CHARACTERS],
        round(example.strength, 3),
        example.passage.source,
    )


def _judged(label: Label, found: Score | None, fuzzed: Score | None, judge: str) -> Label:
    values = (None if score is None else score.value for score in (found, fuzzed))
    detected, marked = values
    judge = "" if detected is None and marked is None else judge
    return replace(label, detection=detected, fuzzing=marked, judge=judge)
