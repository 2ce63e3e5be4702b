"""Asking a language model what a feature's passages have in common (Bills et al. 2023; Paulo et al., arXiv 2410.13928).

It sees the passages in which the feature is strongest, the tokens on which it is active in «marks», and how strong it
is on each of them from 1 to 10; it answers with a sentence and a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from undersong.catalogue.queries import plain_name
from undersong.errors import BadText
from undersong.sae.labelling.chat import Chat, Message
from undersong.sae.labelling.passages import Example

SHOWN = 20
MAX_TOKENS = 400
LONGEST_NAME = 60

_SYSTEM = (
    "You study what a feature inside a language model responds to. You are given passages in which it is active. "
    "Where it is active, the text stands in «marks», and a list gives the strength there, from 1 to 10. Say what the "
    "marked text has in common: its words, its meaning, its place in the sentence, or what the passage is about. Be "
    "specific and brief; do not mention marks, features or examples. Answer in two lines:\n"
    "EXPLANATION: one sentence\nNAME: two to five words, lower case"
)
_SYSTEM_PASSAGE = (
    "You study what a feature inside a language model responds to. You are given passages in which it is strong, with "
    "its strength in each, from 1 to 10. Say what the passages have in common: theme, setting, mood, or manner. Be "
    "specific and brief; do not mention features or examples. Answer in two lines:\n"
    "EXPLANATION: one sentence\nNAME: two to five words, lower case"
)
_LINE = re.compile(r"^\W*(explanation|name)\W*[:：]\W*(.+?)\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Explained:
    """`name` is as a catalogue wants it: lower case, single spaces; None where the answer had none."""

    name: str | None
    explanation: str


def explain(chat: Chat, examples: Sequence[Example]) -> Explained:
    """What `chat` makes of `examples`, the strongest first: of SHOWN, or half as many for as long as it lacks the room.

    BadText where it has none for a single one.
    """
    examples = examples[:SHOWN]
    whole = all(len(example.passage.spans) == 1 for example in examples)
    shown = "\n".join(_shown(number, each, examples[0].strength) for number, each in enumerate(examples, 1))
    try:
        said = chat.ask([Message("system", _SYSTEM_PASSAGE if whole else _SYSTEM), Message("user", shown)], MAX_TOKENS)
    except BadText:
        if len(examples) < 2:
            raise
        return explain(chat, examples[: len(examples) // 2])
    return parse(said)


def parse(answer: str) -> Explained:
    """The last EXPLANATION and NAME: what was thought before may hold some too."""
    found = {match[1].lower(): match[2] for match in _LINE.finditer(answer)}
    explanation = " ".join(found.get("explanation", "").split())
    name = catalogue_name(found.get("name", "")) or catalogue_name(explanation)
    return Explained(name, explanation)


def catalogue_name(text: str) -> str | None:
    """`text` as catalogues want names, cut at a word; None of nothing."""
    name = plain_name(text).strip(" .,;:*_`")
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME + 1].rsplit(" ", 1)[0][:LONGEST_NAME].rstrip(" .,;:")
    return name or None


def marked(example: Example, floor: float = 0.0) -> str:
    """The passage with the runs of spans above `floor` in «marks», on one line."""
    text = example.passage.text
    runs: list[list[int]] = []
    for (start, end), value in zip(example.passage.spans, example.values, strict=True):
        if value > floor and end > start:
            if runs and not text[runs[-1][1] : start].strip():
                runs[-1][1] = end
            else:
                runs.append([start, end])
    for start, end in reversed(runs):
        # A token often begins with the space before its word.
        inner = text[start:end]
        lead = len(inner) - len(inner.lstrip())
        text = f"{text[: start + lead]}«{inner.strip()}»{text[start + len(inner.rstrip()) :]}"
    return " ".join(text.split())


def _shown(number: int, example: Example, most: float) -> str:
    if len(example.passage.spans) == 1:
        return f"{number}. [{_grade(example.strength, most)}] {' '.join(example.passage.text.split())}"
    strong = [
        f"{' '.join(example.passage.text[start:end].split())} {_grade(value, most)}"
        for (start, end), value in zip(example.passage.spans, example.values, strict=True)
        if value > 0
    ]
    return f"{number}. {marked(example)}\n   strengths: {', '.join(strong)}"


def _grade(value: float, most: float) -> int:
    return max(1, min(10, round(10 * value / most))) if most > 0 else 1
