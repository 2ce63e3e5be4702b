"""What the recipe's steps share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import collect
import language_model
import numpy as np
import torch
from codes import Codes, token_codes
from corpus import Book, read_training_books
from evidence import Texts
from manifest import READ_LAYER, SAES, TOKENS
from packing import Stream, load_stream
from tokenizers import Tokenizer


@dataclass
class Making:
    """Where things lie, and what several steps need, read when first asked for."""

    corpus: Path
    out: Path
    work: Path
    tokens: int
    device: torch.device

    @cached_property
    def books(self) -> list[Book]:
        return read_training_books(self.corpus)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self.out / "model/tokenizer.json"))

    @cached_property
    def stream(self) -> Stream:
        return load_stream(self.work / "train.npz")

    @cached_property
    def model(self) -> language_model.LanguageModel:
        return language_model.load(self.out / "model").to(self.device)

    @cached_property
    def texts(self) -> Texts:
        windows = collect.load_windows(self.work)
        size = self.tokenizer.get_vocab_size()
        vocabulary = [self.tokenizer.decode([i], skip_special_tokens=False) for i in range(size)]
        return Texts(windows.ids, windows.book, [book.source for book in self.books], vocabulary)

    @cached_property
    def codes(self) -> Codes:
        """Of the token SAE that is read."""
        residual = np.load(self.work / f"residual_{READ_LAYER}.npy")
        return token_codes(self.out / SAES[TOKENS].path, residual)
