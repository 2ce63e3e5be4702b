"""One candidate as it unfolds, token by token: its text so far, what may be told of it, and where it ends.

A candidate stays within one paragraph and ends with a sentence where it can: text is told only up to the last point
that will surely stay, so the chunks told make up the suggestion exactly.
"""

from __future__ import annotations

import re
from bisect import bisect_left

from undersong.model.tokens import decode
from undersong.wire import Stop

# What follows tells: `"Go on," he said... and went` and `"Why?" she asked` go on with a small letter.
_END = re.compile(r"""[.!?]["')\]]*(?=\s+[^\sa-z])""")
_CLOSED = re.compile(r"""[.!?]["')\]]*$""")
_SPLIT = "\ufffd"
"""What the first bytes of a code point decode to while the others are still to come."""
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|Capt|Col|Gen|Rev|Sr|Jr|vs|etc|[A-Z])\.$")


class Unfolding:
    """`minimum`: tokens before which no sentence end stops it (of no concern where `stop` is "length")."""

    def __init__(self, tokenizer, stop: Stop, minimum: int) -> None:
        self._tokenizer, self._stop, self._minimum = tokenizer, stop, minimum
        self._ids: list[int] = []
        self._told = 0
        self._sentence_end = 0
        self.ended = False
        self.text = ""
        self.kept: list[int] = []

    def take(self, token: int) -> str:
        """One more token; answers the text that may now be told."""
        self._ids.append(token)
        self.text = decode(self._tokenizer, self._ids)
        if self._stop == "length":
            return self._tell(len(self.text.rstrip(_SPLIT)))
        for match in _END.finditer(self.text, max(self._sentence_end - 1, 0)):
            if match.end() <= self._sentence_end or _ABBREVIATION.search(self.text[: match.start() + 1]):
                continue
            self._sentence_end = match.end()
            if len(self._ids) > self._minimum:
                self.ended = True
                break
        if self._stop == "sentence" and not self._sentence_end:
            return self._tell(self._stable())
        return self._tell(self._sentence_end)

    def close(self) -> str:
        """No more tokens will come: settle the text, and answer what has not been told of it."""
        complete = self.text.rstrip(_SPLIT).rstrip()
        if self._stop == "length" or (_CLOSED.search(complete) and not self.ended):
            end = len(complete)
        else:
            end = self._sentence_end or len(complete)
        told = self._tell(max(end, self._told))
        self.text = self.text[: self._told]
        self.kept = self._ids[: self._n_tokens(len(self.text))]
        return told

    def _stable(self) -> int:
        """How much of an unfinished sentence may be told: all but white space at the end and split code points."""
        return len(self.text.rstrip(_SPLIT).rstrip())

    def _tell(self, end: int) -> str:
        new = self.text[self._told : end]
        self._told = max(self._told, end)
        return new

    def _n_tokens(self, length: int) -> int:
        """The fewest tokens whose text, split code points aside, is at least `length` long."""

        def settled(n: int) -> int:
            return len(decode(self._tokenizer, self._ids[:n]).rstrip(_SPLIT))

        return min(len(self._ids), bisect_left(range(len(self._ids) + 1), length, key=settled))
