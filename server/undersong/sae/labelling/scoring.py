"""Does a name fit? Asked on passages that it was not made from (Paulo et al., arXiv 2410.13928; eai-delphi).

Detection: passages in which the feature is active, from all ranges of its strength, among as many in which it is not;
the judge says which fit the name. Fuzzing: active passages with the right tokens marked, and passages with as many
others marked; the judge says where the marks fit. Both scores are balanced accuracy, the mean of the shares of true
and of false ones told rightly: chance is 0.5.

`lexical` is a judge that needs no model: a passage fits if it has one of the words that the name was made of.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from undersong.sae.labelling.chat import Chat, Message
from undersong.sae.labelling.explaining import marked
from undersong.sae.labelling.keyness import stem, stems
from undersong.sae.labelling.passages import Example, Firings

PER_SIDE = 20
FEWEST = 4
"""Passages of a kind without which there is no score."""
AT_ONCE = 5
"""Passages that a judge sees together: more leak what the others are."""
MAX_TOKENS = 60

_DETECT = (
    "A feature of a language model is described. For each passage, say whether it holds what is described: 1 if it "
    "does, 0 if not. Answer with a list of {count} numbers only, such as [{example}]."
)
_FUZZ = (
    "A feature of a language model is described. In each passage some text stands in «marks». Say for each passage "
    "whether the marked text is what is described: 1 if it is, 0 if not. Answer with a list of {count} numbers only, "
    "such as [{example}]."
)
_LIST = re.compile(r"\[[\s01,]*\]")

Judge = Callable[[str, Sequence[str]], Sequence[bool] | None]
"""(what is described, passages) -> whether each fits; None where no answer could be made out"""


@dataclass(frozen=True, slots=True)
class Score:
    """`passages`: how many were judged; those whose answer could not be made out are left out."""

    value: float
    passages: int


def detection(firings: Firings, feature: int, said: str, judge: Judge, per_side: int = PER_SIDE) -> Score | None:
    """None with too few passages on either side."""
    active = firings.ranged(feature, per_side, held=True)
    silent = firings.silent(feature, len(active), held=True)
    texts = [(" ".join(each.passage.text.split()), True) for each in active]
    texts += [(" ".join(each.passage.text.split()), False) for each in silent]
    return _scored(texts, said, judge, feature)


def fuzzing(firings: Firings, feature: int, said: str, judge: Judge, per_side: int = PER_SIDE) -> Score | None:
    """None with too few passages, and for the passage grain, which marks nothing."""
    active = [each for each in firings.ranged(feature, per_side, held=True) if len(each.passage.spans) > 1]
    shuffler = random.Random(feature)
    texts = [(marked(each), True) for each in active]
    texts += [(marked(other), False) for each in active if (other := wrongly_marked(each, shuffler)) is not None]
    return _scored(texts, said, judge, feature)


def wrongly_marked(example: Example, shuffler: random.Random) -> Example | None:
    """The same passage with as many spans marked among those on which the feature is silent; None if too few are."""
    words = [n for n, (start, end) in enumerate(example.passage.spans) if example.passage.text[start:end].strip()]
    silent = [n for n in words if example.values[n] <= 0]
    count = sum(example.values[n] > 0 for n in words)
    if not count or len(silent) < count:
        return None
    chosen = set(shuffler.sample(silent, count))
    return replace(example, values=tuple(float(n in chosen) for n in range(len(example.values))))


def chat_judge(chat: Chat, marks: str = "detection") -> Judge:
    """`marks`: "detection" or "fuzzing"."""
    instruction = {"detection": _DETECT, "fuzzing": _FUZZ}[marks]

    def judge(said: str, texts: Sequence[str]) -> list[bool] | None:
        numbered = "\n".join(f"{number}. {text}" for number, text in enumerate(texts, 1))
        example = ", ".join("10"[number % 2] for number in range(len(texts)))
        answer = chat.ask(
            [
                Message("system", instruction.format(count=len(texts), example=example)),
                Message("user", f"Description: {said}\n\n{numbered}"),
            ],
            MAX_TOKENS,
        )
        return parse(answer, len(texts))

    return judge


def lexical(words: Sequence[str]) -> Judge:
    """A judge that looks for `words`, whatever is described."""
    looked_for = {stem(word.lower()) for word in words}
    return lambda _, texts: [bool(looked_for & stems(text)) for text in texts]


def parse(answer: str, count: int) -> list[bool] | None:
    """The last list of that many 0s and 1s."""
    for found in reversed(_LIST.findall(answer)):
        digits = re.findall(r"[01]", found)
        if len(digits) == count:
            return [digit == "1" for digit in digits]
    return None


def balanced_accuracy(fits: Sequence[bool], said: Sequence[bool]) -> float:
    """The mean of the shares of true and of false ones told rightly; there are some of each."""
    sides = [[s == f for f, s in zip(fits, said, strict=True) if f is side] for side in (True, False)]
    return sum(sum(side) / len(side) for side in sides) / 2


def _scored(texts: list[tuple[str, bool]], said: str, judge: Judge, seed: int) -> Score | None:
    if min(sum(fits for _, fits in texts), sum(not fits for _, fits in texts)) < FEWEST:
        return None
    random.Random(seed).shuffle(texts)
    fits: list[bool] = []
    answers: list[bool] = []
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        answer = judge(said, [text for text, _ in part])
        if answer is not None:
            fits += [fit for _, fit in part]
            answers += answer
    if sum(fits) < FEWEST or len(fits) - sum(fits) < FEWEST:
        return None
    return Score(balanced_accuracy(fits, answers), len(fits))
