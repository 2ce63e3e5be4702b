"""The first-letter task: words that are one token, read where a prompt that spells other words leads up to them."""

from __future__ import annotations

import random
import re

import torch
from torch import Tensor

from undersong.engine.subject import ModelSubject
from undersong.model.tokens import encode

EXAMPLES = 8
_WORD = re.compile(r" [a-z]{3,}")


def single_token_words(subject: ModelSubject, most: int, seed: int = 0) -> list[str]:
    """Lower-case words of three letters or more that are one token after a space, in no order, at most `most`."""
    tokenizer = subject.model.tokenizer
    texts = (subject.text([token]) for token in sorted(tokenizer.get_vocab().values()))
    words = [text[1:] for text in texts if _WORD.fullmatch(text) and len(encode(tokenizer, text)) == 1]
    random.Random(seed).shuffle(words)
    return words[:most]


def residuals_of_words(subject: ModelSubject, words: list[str], batch: int = 32) -> Tensor:
    """[n, d_in] float32, CPU: what the SAE reads at each of `words`, each after a prompt that names first letters of
    others: `\\n word: W\\n`, EXAMPLES times, then `\\n` and the word."""
    tokenizer = subject.model.tokenizer
    prompt = "".join(f"\n {word}: {word[0].upper()}" for word in words[:EXAMPLES])
    begin = [*([] if subject.first is None else [subject.first]), *encode(tokenizer, prompt + "\n").ids]
    rows = [[*begin, *encode(tokenizer, f" {word}").ids] for word in words]
    found = [
        subject.read(torch.tensor(rows[at : at + batch]))[:, -1].float().cpu() for at in range(0, len(rows), batch)
    ]
    return torch.cat(found)
