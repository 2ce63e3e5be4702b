"""Byte-level BPE of the default model: words with their leading space, digits one by one, runs of punctuation."""

from __future__ import annotations

import json
from pathlib import Path

from corpus import Book
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from whole_files import written_whole

BOS = "<|endoftext|>"
BOS_ID = 0
PIECES = r"'(?:s|t|re|ve|m|ll|d)\b| ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]+|\n| +"
# Every fourth stretch of 50,000 characters: merges settle long before all of the text is counted.
STRETCH, EVERY = 50_000, 4


def train_tokenizer(books: list[Book], vocab_size: int) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    stretches = (
        book.text[start : start + STRETCH] for book in books for start in range(0, len(book.text), STRETCH * EVERY)
    )
    tokenizer.train_from_iterator(
        stretches,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=[BOS],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """tokenizer.json and the tokenizer_config.json with which AutoTokenizer reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BOS,
        "eos_token": BOS,
        "pad_token": BOS,
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    with written_whole(folder / "tokenizer.json") as part:
        tokenizer.save(str(part))
