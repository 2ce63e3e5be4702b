"""Reading for labels: passages and where features fire in them, and which words a feature makes likelier."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.engine.subject import ModelSubject
from undersong.model.tokens import encode
from undersong.sae.labelling.passages import Firings, Passage

PASSAGE_TOKENS = 32
CONTEXT = 256
CHUNK_CHARACTERS = 200_000
STRENGTH = 0.4
SKIP = 4
_RARE = 1e-5
_WORD = re.compile(r"\s?[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Source:
    """Where text comes from, as evidence names it."""

    name: str
    texts: Iterable[str]


def read_firings(
    subject: ModelSubject,
    sources: Sequence[Source],
    most_tokens: int,
    progress: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Firings:
    """As many tokens from each source. Passages of PASSAGE_TOKENS are read inside windows of CONTEXT."""
    return Firings(subject.sae.d_sae, _read(subject, sources, most_tokens, progress))


def _read(
    subject: ModelSubject, sources: Sequence[Source], most_tokens: int, progress: Callable[[str, int, int], None]
) -> Iterator[tuple[Passage, Tensor]]:
    given = 0
    for number, source in enumerate(sources, start=1):
        until = most_tokens * number // len(sources)
        chunks = (
            text[start : start + CHUNK_CHARACTERS]
            for text in source.texts
            for start in range(0, len(text), CHUNK_CHARACTERS)
        )
        passages = (found for chunk in chunks for found in read_passages(subject, chunk, source.name))
        while given < until and (found := next(passages, None)) is not None:
            yield found
            given += PASSAGE_TOKENS
            progress("reading", min(given, most_tokens), most_tokens)
    progress("reading", most_tokens, most_tokens)


def read_passages(subject: ModelSubject, text: str, source: str) -> Iterator[tuple[Passage, Tensor]]:
    """The passages of one text with their activations, [tokens, d_sae], or [1, d_sae] for the passage grain.

    Of the passage grain the first of each window, which has no context, is left out. What fills no passage is dropped.
    """
    sae, begin = subject.sae, [] if subject.first is None else [subject.first]
    tokens = encode(subject.model.tokenizer, text)
    room = min(CONTEXT, subject.model.context) - len(begin)
    room -= room % PASSAGE_TOKENS
    whole = sae.grain == "passage"
    for start in range(0, len(tokens) - PASSAGE_TOKENS + 1, room):
        ids = tokens.ids[start : start + room]
        read = subject.read(torch.tensor([[*begin, *ids]]))[0, len(begin) :]
        for at in range(PASSAGE_TOKENS if whole else 0, len(ids) - PASSAGE_TOKENS + 1, PASSAGE_TOKENS):
            spans = tokens.spans[start + at : start + at + PASSAGE_TOKENS]
            first, last = spans[0].start, spans[-1].end
            part = read[at : at + PASSAGE_TOKENS]
            if whole:
                own, codes = ((0, last - first),), sae.encode(sae.pool(part.sum(dim=0), len(part)))
            else:
                own, codes = tuple((span.start - first, span.end - first) for span in spans), sae.encode(part)
            yield Passage(text[first:last], own, source), codes


class Effects:
    """Words that raising a feature makes likelier or less likely, on average over an ordinary passage.

    Its direction, STRENGTH times as long as what is there, is added at every position, and the rest of the model runs.
    By log p'/p weighed by the square root of the larger of the two, as mean probabilities: changes of what is never
    said do not count.
    """

    def __init__(self, subject: ModelSubject, text: str, count: int = 8) -> None:
        self._subject, self._count = subject, count
        tokenizer, size = subject.model.tokenizer, subject.model.vocab_size
        self._texts = [subject.text([token]) for token in range(size)]
        known = len(tokenizer)
        self._words = torch.tensor([n < known and bool(_WORD.fullmatch(text)) for n, text in enumerate(self._texts)])
        begin = [] if subject.first is None else [subject.first]
        ids = [*begin, *encode(tokenizer, text).ids[: subject.model.context - len(begin)]]
        self._ids = torch.tensor([ids or [0]], device=subject.model.device)
        seen = subject.seen(self._ids)
        self._held = seen.held
        self._reach = STRENGTH * float(seen.held[0, len(begin) :].float().norm(dim=-1).mean())
        self._base = _probabilities(seen.logits)

    def of(self, feature: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """(promoted, suppressed), the most first."""
        direction = self._subject.sae.directions([feature])[0]
        if not float(direction.norm()) or not self._reach > 0:
            return (), ()
        step = torch.nn.functional.normalize(direction.float(), dim=0) * self._reach
        found = _probabilities(self._subject.logits(self._ids, self._held + step.to(self._held)))
        change = ((found + _RARE) / (self._base + _RARE)).log()
        return self._most(change * found.sqrt()), self._most(-change * self._base.sqrt())

    def _most(self, change: Tensor) -> tuple[str, ...]:
        found = change.masked_fill(~self._words, -torch.inf).topk(min(self._count, len(change)))
        ids = found.indices[found.values > 0].tolist()
        return tuple(dict.fromkeys(self._texts[token].strip() for token in ids))


def _probabilities(logits: Tensor) -> Tensor:
    """[vocab] float32, CPU: means over the positions of [1, n, vocab], the first few left out where there are more."""
    return logits[0, min(SKIP, logits.shape[1] - 1) :].float().softmax(-1).mean(0).cpu()
