"""Puts the catalogue together: names, words, evidence and figures of the two SAEs of layer 3."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import effect
import keyness
import numpy as np
import passages
import telling
import token_names
import torch
from collect import LAYER, N_CHECK, N_REFERENCE, SEGMENT
from evidence import Texts, segment_passages, token_passages
from safetensors.torch import load_file

from undersong.catalogue.build import CatalogueRow, write_catalogue
from undersong.wire import FeatureCard, Passage

HERE = Path(__file__).parent
PASSAGE_ID, TOKEN_ID = "p3", "3"
KEY_WORDS = 12
READ = "read by an assistant: key words, top passages, words it raises"


@dataclass(frozen=True, slots=True)
class Given:
    """A name given to evidence that was read. `kind`: "theme" or "register" (see telling.py).

    `words`: others to find it by.
    """

    kind: str
    name: str
    words: str


def describe_passages(out: Path, work: Path, texts: Texts) -> None:
    """Leaves passages.json in the work folder: a dict per feature, from which names are given and rows are made."""
    folder = out / "saes/blocks.3.passage_resid_post"
    sae = load_file(folder / "sae_weights.safetensors")
    segments = torch.from_numpy(np.load(work / "segments.npy")).float()
    codes = passages.encode(sae, segments.flatten(0, 1))
    values, indices = (t.numpy() for t in codes.topk(passages.K, dim=-1))
    held = N_CHECK * segments.shape[1]
    strings = [
        texts.between(window, start, start + SEGMENT)
        for window in range(len(segments))
        for start in range(SEGMENT, texts.ids.shape[1], SEGMENT)
    ]
    words = keyness.count_words(strings[:-held])
    p, ratio = keyness.log_ratio(words, values[:-held], indices[:-held], passages.WIDTH)
    names = given_names()
    kinds = [names[i].kind if i in names else None for i in range(passages.WIDTH)]
    held_words = keyness.count_words(strings[-held:], words.types)
    scores = telling.told(kinds, held_words, p, ratio, codes[-held:].numpy())
    word_index, spelt = token_names.word_of_tokens(texts.ids[:N_REFERENCE, 1:], texts.vocabulary)
    offered = token_names.offered_words(word_index, spelt)
    content = np.array([word in offered for word in words.types])
    every = keyness.key_words(words, p, ratio, KEY_WORDS)
    chosen = keyness.key_words(words, np.where(content, p, 0), ratio, KEY_WORDS)
    evidence = segment_passages(texts, codes[:-held].numpy())
    raised = _raised(out, work, sae["W_dec"], texts)
    rows = [
        {
            "all_words": every[i],
            "words": chosen[i],
            "area": scores[i].area,
            "share": scores[i].share,
            "lift": scores[i].lift,
            "shown": scores[i].shown,
            "promoted": raised[i][0],
            "suppressed": raised[i][1],
            "passages": [[e.before, e.token, e.after, e.activation, e.source] for e in evidence[i]],
        }
        for i in range(passages.WIDTH)
    ]
    (work / "passages.json").write_text(json.dumps(rows))


def _raised(out: Path, work: Path, directions: torch.Tensor, texts: Texts) -> list[list[list[str]]]:
    """effect.raised_words takes a minute or two, so its answer is kept."""
    kept = work / "raised.json"
    if not kept.exists():
        kept.write_text(json.dumps(effect.raised_words(out, directions, texts.ids, texts.vocabulary)))
    return json.loads(kept.read_text())


def write_features(out: Path, work: Path, seed: Path, texts: Texts) -> None:
    """catalogue.sqlite: the passage dictionary first, so that it wins where search finds both equally good."""
    themes = _themes()
    rows = [*_passage_rows(out, work), *_token_rows(out, work, seed, texts, themes)]
    write_catalogue(out / "catalogue.sqlite", rows)
    for sae in (PASSAGE_ID, TOKEN_ID):
        mine = [row for row in rows if row.card.sae == sae]
        print(f"{sae}: {len(mine)} features, {sum(row.shown for row in mine)} shown", flush=True)


def _passage_rows(out: Path, work: Path) -> list[CatalogueRow]:
    """Names come from names.tsv alone: a feature that no one could read has none. What is shown, telling.py says."""
    described = json.loads((work / "passages.json").read_text())
    reference = load_file(out / "saes/blocks.3.passage_resid_post/reference.safetensors")
    names = given_names()
    rows: list[CatalogueRow] = []
    for index, one in enumerate(described):
        identity = f"{PASSAGE_ID}.{index}"
        given = names.get(index)
        words = dict.fromkeys([*given.words.split(), *one["words"][:8]]) if given else {}
        card = FeatureCard(
            feature=identity,
            name=given.name if given else identity,
            provenance=READ if given else "unnamed",
            sae=PASSAGE_ID,
            frequency=_rounded(reference["frequency"][index]),
            max_activation=_rounded(reference["max"][index]),
            promoted=tuple(one["promoted"]),
            suppressed=tuple(one["suppressed"]),
            passages=tuple(Passage(*passage) for passage in one["passages"]),
            detection=one["area"] if given else None,
        )
        rows.append(CatalogueRow(card, ", ".join(words), one["shown"]))
    return rows


def _token_rows(out: Path, work: Path, seed: Path, texts: Texts, themes: dict[str, set[str]]) -> list[CatalogueRow]:
    folder = f"saes/blocks.{LAYER}.hook_resid_post"
    reference = load_file(out / folder / "reference.safetensors")
    with (seed / folder / "features.jsonl").open() as lines:
        directions = [json.loads(line) for line in lines]
    acts = np.load(work / f"acts_{LAYER}.npz")
    values, indices, width = acts["values"], acts["indices"], len(directions)
    word_index, spelt = token_names.word_of_tokens(texts.ids[:N_REFERENCE, 1:], texts.vocabulary)
    named = token_names.name_features(values, indices, width, word_index, spelt)
    evidence = token_passages(texts, values, indices, width)
    rows: list[CatalogueRow] = []
    for index in range(width):
        identity, found = f"{TOKEN_ID}.{index}", named[index]
        marks = {token_names.stem(word) for word in found.named}
        wider = [word for word, members in themes.items() if found.name and marks & members]
        card = FeatureCard(
            feature=identity,
            name=found.name or identity,
            provenance=token_names.PROVENANCE if found.name else "unnamed",
            sae=TOKEN_ID,
            frequency=_rounded(reference["frequency"][index]),
            max_activation=_rounded(reference["max"][index]),
            promoted=tuple(text.strip() for text in directions[index]["promoted"][:8]),
            suppressed=tuple(text.strip() for text in directions[index]["suppressed"][:6]),
            passages=evidence[index],
        )
        words = ", ".join(dict.fromkeys([*found.named, *wider])) if found.name else ""
        rows.append(CatalogueRow(card, words, found.name is not None))
    return rows


def given_names() -> dict[int, Given]:
    """names.tsv: index, kind, name, words a writer might search for."""
    lines = (HERE / "names.tsv").read_text(encoding="utf-8").splitlines()
    fields = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {int(index): Given(kind, name, words) for index, kind, name, words in fields}


def _themes() -> dict[str, set[str]]:
    """themes.tsv: the word a writer might search for, then the words that belong to it; kept as stems."""
    lines = (HERE / "themes.tsv").read_text(encoding="utf-8").splitlines()
    fields = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {theme: {token_names.stem(word) for word in words.split()} for theme, words in fields}


def _rounded(value: torch.Tensor) -> float:
    return float(f"{float(value):.4g}")
