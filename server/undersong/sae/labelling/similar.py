"""New passages like given ones, written by a language model: what feature sensitivity is measured on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from undersong.sae.labelling.chat import Chat, Message

_SYSTEM = (
    "You are given passages that have something in common. «Marks», where there are any, show what. Write {count} new "
    "passages that have it too, of the same length and kind, each about something else and in other words, without "
    "marks. Write each on a line of its own that begins with its number and a full stop; write nothing else."
)
_NUMBERED = re.compile(r"^\s*\d+[.)]\s*(.+?)\s*$", re.MULTILINE)
TOKENS_A_PASSAGE = 80


def similar(chat: Chat, passages: Sequence[str], count: int) -> list[str]:
    """At most `count`; fewer, or none, where the model does not do as asked."""
    shown = "\n".join(f"{number}. {text}" for number, text in enumerate(passages, 1))
    answer = chat.ask(
        [Message("system", _SYSTEM.format(count=count)), Message("user", shown)], TOKENS_A_PASSAGE * count
    )
    found = [text.replace("«", "").replace("»", "") for text in _NUMBERED.findall(answer)]
    return list(dict.fromkeys(found))[:count]
