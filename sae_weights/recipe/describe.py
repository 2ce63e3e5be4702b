"""What is known of each feature before anyone names it: words, passages, what it raises. Left as JSON.

WORK/evidence_ID.json   a list with a dict per feature:
    words       passage features: key words among words with content; token features: [word, share] it fires on
    all_words   passage features: key words, small ones too
    automatic   token features: the automatic name, or null
    promoted, suppressed    words that adding its direction makes likelier, less likely
    passages    [before, token, after, activation, source]
"""

from __future__ import annotations

import json
from pathlib import Path

import collect
import effect
import keyness
import numpy as np
import token_names
import torch
from codes import Codes
from collect import SEGMENT, load_segments
from evidence import Texts, segment_passages, token_passages
from language_model import LanguageModel
from whole_files import written_whole

from undersong.sae.load import load_sae

KEY_WORDS = 12
N_EVIDENCE = 1000
"""Reference windows that token features are named from; the rest of the reference is kept to test the names."""


def passage_codes(folder: Path, layer: int, work: Path) -> tuple[np.ndarray, np.ndarray]:
    """(values, indices) [passages, k] of all windows but those for checking, a window's passages side by side."""
    sae = load_sae(folder)
    k, segments = sae.config.k, load_segments(work, layer)[: -collect.N_CHECK]
    assert k is not None
    found = [sae.encode(part).topk(k) for part in segments.flatten(0, 1).split(8192)]
    return torch.cat([part.values for part in found]).numpy(), torch.cat([part.indices for part in found]).numpy()


def describe_passages(model: LanguageModel, folder: Path, layer: int, work: Path, texts: Texts) -> list[dict]:
    directions = load_sae(folder).W_dec
    values, indices = passage_codes(folder, layer, work)
    words = keyness.count_words(segment_texts(texts, range(len(texts.ids) - collect.N_CHECK)))
    p, ratio = keyness.log_ratio(words, values, indices, len(directions))
    content = content_words(texts, words.types)
    every = keyness.key_words(words, p, ratio, KEY_WORDS)
    chosen = keyness.key_words(words, np.where(content, p, 0), ratio, KEY_WORDS)
    raised = effect.raised_words(model, layer, directions, texts.ids, texts.vocabulary)
    codes = np.zeros((len(values), len(directions)), np.float32)
    np.put_along_axis(codes, indices, values, axis=1)
    found = segment_passages(texts, codes)
    return [
        {
            "words": chosen[i],
            "all_words": every[i],
            "automatic": None,
            "promoted": raised[i][0],
            "suppressed": raised[i][1],
            "passages": [[e.before, e.token, e.after, e.activation, e.source] for e in found[i]],
        }
        for i in range(len(directions))
    ]


def describe_tokens(
    model: LanguageModel, layer: int, directions: torch.Tensor, codes: Codes, texts: Texts
) -> list[dict]:
    """`codes` of the first N_EVIDENCE reference windows."""
    word_index, spelt = token_names.word_of_tokens(texts.ids[:N_EVIDENCE, 1:], texts.vocabulary)
    named = token_names.name_features(codes, word_index, spelt)
    fires = token_names.fires_on(codes, word_index, spelt)
    raised = effect.raised_words(model, layer, directions, texts.ids, texts.vocabulary)
    found = token_passages(texts, codes)
    return [
        {
            "words": [[word, round(share, 3)] for word, share in fires[i][:KEY_WORDS]],
            "all_words": list(named[i].named),
            "automatic": named[i].name,
            "promoted": raised[i][0],
            "suppressed": raised[i][1],
            "passages": [[e.before, e.token, e.after, e.activation, e.source] for e in found[i]],
        }
        for i in range(codes.width)
    ]


def segment_texts(texts: Texts, windows: range) -> list[str]:
    """The text of each passage of SEGMENT tokens, but for the one with BOS, window by window."""
    starts = range(SEGMENT, texts.ids.shape[1], SEGMENT)
    return [texts.between(window, start, start + SEGMENT) for window in windows for start in starts]


def content_words(texts: Texts, types: tuple[str, ...]) -> np.ndarray:
    """[types] bool: words that a writer may care about."""
    word_index, spelt = token_names.word_of_tokens(texts.ids[:N_EVIDENCE, 1:], texts.vocabulary)
    offered = token_names.offered_words(word_index, spelt)
    return np.array([word in offered for word in types])


def save_evidence(rows: list[dict], work: Path, sae: str) -> None:
    with written_whole(work / f"evidence_{sae}.json") as part:
        part.write_text(json.dumps(rows))


def load_evidence(work: Path, sae: str) -> list[dict]:
    return json.loads((work / f"evidence_{sae}.json").read_text())
