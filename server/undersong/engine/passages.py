"""Prose paragraphs as the model reads them: plain text, sentences, tokens. No tensor is touched here.

An atom is a sentence with its token ids; a sentence longer than the limit is cut into several. Token spans are in
code points of the paragraph's prose (not of the plain text), so they can be answered as they are.
"""

from __future__ import annotations

import re
from array import array
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

from undersong.text.plain_text import PlainText, plain
from undersong.text.sentences import sentences
from undersong.text.span import Span

Encode = Callable[[str], tuple[tuple[int, ...], tuple[Span, ...]]]
"""Text to token ids and the span of each in the text."""

CACHED_PARAGRAPHS = 20_000
_SURROGATE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, slots=True, eq=False)
class Atom:
    """`token_spans`: [n_tokens] in the paragraph's prose. `mark`: hash of the paragraph, where windows may be cut."""

    sentence: Span
    ids: tuple[int, ...]
    token_spans: tuple[Span, ...]
    opens_paragraph: bool
    mark: int
    digest: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """One paragraph: its prose, the plain text that the model reads, and its atoms."""

    prose: str
    plain: PlainText
    atoms: tuple[Atom, ...]


def as_written(prose: str) -> PlainText:
    """The reading of a model that was trained on typography: every code point stands for itself.

    But for half of a character, which has no UTF-8 form to make tokens of.
    """
    return PlainText(_SURROGATE.sub("\ufffd", prose), range(len(prose)), len(prose))


READINGS: dict[str, Callable[[str], PlainText]] = {"plain": plain, "any": as_written}
"""The manifest's `typography`: how prose is spelled out for the model."""


class PassageReader:
    """Makes passages and remembers them by their prose."""

    def __init__(self, encode: Encode, typography: str, paragraph_break: str, max_atom: int) -> None:
        self._encode, self._plain = encode, READINGS[typography]
        self._break, self._max_atom = paragraph_break, max_atom
        self._cache: OrderedDict[str, Passage] = OrderedDict()
        # Also the first use of the tokenizer, which sets its options: after it, several threads may encode at once.
        self.break_ids = encode(paragraph_break)[0]

    def read(self, prose: str) -> Passage:
        known = self._cache.get(prose)
        if known is None:
            known = self._cache[prose] = self._make(prose)
            if len(self._cache) > CACHED_PARAGRAPHS:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(prose)
        return known

    def _make(self, prose: str) -> Passage:
        text = self._plain(prose)
        mark = blake2b(prose.encode("utf-8", "surrogatepass"), digest_size=2).digest()[0]
        atoms: list[Atom] = []
        spans = sentences(prose) or (Span(0, len(prose)),)
        starts = [0, *(span.start for span in spans[1:])]
        ends = [*starts[1:], len(prose)]
        done = 0
        for span, end in zip(spans, ends, strict=True):
            # White space between sentences opens the next one, as byte-level tokenizers have it.
            stop = text.to_plain_offset(end)
            while stop > done and text.text[stop - 1].isspace() and end < len(prose):
                stop -= 1
            lead = self._break if not atoms else ""
            ids, token_spans = self._encode(lead + text.text[done:stop])
            shifted = tuple(
                text.to_prose_span(Span(max(done, s.start - len(lead) + done), max(done, s.end - len(lead) + done)))
                for s in token_spans
            )
            for at in range(0, len(ids), self._max_atom):
                piece = slice(at, at + self._max_atom)
                atoms.append(_atom(span, ids[piece], shifted[piece], not atoms, mark))
            done = stop
        return Passage(prose, text, tuple(atoms))


def _atom(sentence: Span, ids: tuple[int, ...], spans: tuple[Span, ...], opens: bool, mark: int) -> Atom:
    return Atom(sentence, ids, spans, opens, mark, blake2b(array("I", ids).tobytes(), digest_size=16).digest())
