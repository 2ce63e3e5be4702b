"""Drafts to measure on: paragraphs of the sample's sentences in a seeded order, so that no two windows are alike."""

from __future__ import annotations

import random
from pathlib import Path

from undersong.text.sentences import sentences

SAMPLE = Path(__file__).parents[1] / "server/undersong/cli/sample.md"
WORDS_PER_PARAGRAPH = 90


def draft(n_words: int, seed: int = 0) -> str:
    """A Markdown draft of about `n_words` words."""
    prose = SAMPLE.read_text(encoding="utf-8").split("---", 2)[2]
    pool = [
        paragraph[span.start : span.end]
        for paragraph in prose.split("\n\n")
        if not paragraph.startswith("#")
        for span in sentences(paragraph.strip())
    ]
    rng = random.Random(seed)
    paragraphs: list[str] = []
    count = 0
    while count < n_words:
        chosen: list[str] = []
        while sum(len(sentence.split()) for sentence in chosen) < WORDS_PER_PARAGRAPH:
            chosen.append(rng.choice(pool))
        paragraphs.append(" ".join(chosen))
        count += len(paragraphs[-1].split())
    return "\n\n".join(paragraphs) + "\n"
