"""Makes the default weights from the corpus. One command; see README.md.

    python make.py --corpus DIR [--out ../default] [--work work] [--tokens 24] [--device cpu] [--until STEP]

The steps that train, read or ask leave their result in the output or the work folder and are skipped when that is
there, whatever it was made from; the long ones keep checkpoints, so an interrupted run goes on. The last four are run
each time: the manifest and the catalogue are written anew in seconds, doses are measured of the features that have a
name that holds and no dose yet, and the figures are measured, which reads all of the held-out text with the model and
every SAE. After a change of names alone that is all there is to do: some seconds for each new name, and the figures'
minutes. `--until catalogue` leaves the figures as they were.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import collect
import describe
import detection
import doses
import numpy as np
import passages
import reference
import theme_words
import token_saes
import torch
from codes import Codes
from corpus import read_heldout_books, read_training_books
from describe import (
    describe_passages,
    describe_tokens,
    load_evidence,
    passage_codes,
    save_evidence,
    segment_texts,
)
from feature_tables import headers
from features import Scored, given_names, shown_names, write_features
from making import Making
from manifest import PASSAGES, READ_LAYER, SAES, TOKENS, kept_figures, read_saes, write_manifest
from packing import encode_books, load_stream, save_stream
from tokenizer import save_tokenizer, train_tokenizer
from train_language_model import train_language_model

from figures import FULL, SHORT, measure, ship, ship_counts
from undersong.sae.load import load_sae

VOCABULARY, CONTEXT = 8192, 1024
READ_TOKENS, TRACE_TOKENS = 2_000_000, 1_000_000
QUIZ_PARTS = 8


def make_tokens(making: Making) -> None:
    if not (making.out / "model/tokenizer.json").exists():
        save_tokenizer(train_tokenizer(making.books, VOCABULARY), making.out / "model", CONTEXT)
    for name, read in (("heldout", read_heldout_books), ("train", read_training_books)):
        if not (making.work / f"{name}.npz").exists():
            save_stream(encode_books(read(making.corpus), making.tokenizer), making.work / f"{name}.npz")


def make_language_model(making: Making) -> None:
    folder = making.out / "model"
    if not (folder / "model.safetensors").exists():
        heldout = load_stream(making.work / "heldout.npz")
        train_language_model(
            making.stream, heldout, making.tokenizer, folder, making.work, making.tokens, making.device
        )


def make_passages(making: Making) -> None:
    collect.collect(making.model, making.stream, [READ_LAYER], making.work, making.device)
    passages.make_passages(making.work, READ_LAYER, making.out / "saes", making.device)


def make_token_sae(making: Making) -> None:
    """Of the layer that is read."""
    _train_token_saes(making, [READ_LAYER], READ_TOKENS)


def make_trace_saes(making: Making) -> None:
    """Of the other layers, all in one pass."""
    layers = [layer for layer in range(making.model.shape.n_layers) if layer != READ_LAYER]
    _train_token_saes(making, layers, TRACE_TOKENS)


def _train_token_saes(making: Making, layers: list[int], tokens: int) -> None:
    if all((making.out / SAES[str(layer)].path / "sae_weights.safetensors").exists() for layer in layers):
        return
    plan = token_saes.PLAN
    found = token_saes.train_token_saes(making.model, making.stream, layers, plan, tokens, making.work, making.device)
    token_saes.write_token_saes(found, plan, tokens, making.out / "saes")
    # Else an SAE whose folder is removed would come back from it, not be trained anew.
    token_saes.checkpoint(making.work, plan, layers).unlink(missing_ok=True)


def make_references(making: Making) -> None:
    newline = making.texts.vocabulary.index("\n")
    for identity in (PASSAGES, TOKENS):
        folder = making.out / SAES[identity].path
        if not (folder / "reference.safetensors").exists():
            reference.write_reference(folder, READ_LAYER, making.work, newline)


def make_evidence(making: Making) -> None:
    if not (making.work / f"evidence_{PASSAGES}.json").exists():
        folder = making.out / SAES[PASSAGES].path
        rows = describe_passages(making.model, folder, READ_LAYER, making.work, making.texts)
        save_evidence(rows, making.work, PASSAGES)
    if not (making.work / f"evidence_{TOKENS}.json").exists():
        directions = load_sae(making.out / SAES[TOKENS].path).W_dec
        codes = making.codes
        shown = Codes(codes.values[: describe.N_EVIDENCE], codes.indices[: describe.N_EVIDENCE], codes.width)
        rows = describe_tokens(making.model, READ_LAYER, directions, shown, making.texts)
        save_evidence(rows, making.work, TOKENS)


def make_quizzes(making: Making) -> None:
    """For the names of names.tsv, on passages that they were not written from. Answers are scored against their key,
    so quizzes that are there stay."""
    if (making.work / "quizzes/key.json").exists():
        return
    saes = read_saes(making.out)
    names = given_names(saes)
    quizzes: list[detection.Quiz] = []
    for sae, (strength, texts) in ((PASSAGES, _unseen_by_passages(making)), (TOKENS, _unseen_by_tokens(making))):
        for feature, given in names.items():
            identity, _, index = feature.partition(".")
            if identity == sae:
                quiz = detection.make_quiz(feature, given.name, strength[:, int(index)], texts)
                quizzes += [quiz] if quiz else []
    detection.write_quizzes(quizzes, QUIZ_PARTS, making.work / "quizzes", headers(saes))
    print(f"{len(quizzes)} quizzes for {len(names)} names", flush=True)


def _unseen_by_passages(making: Making) -> tuple[np.ndarray, list[str]]:
    """(strength [passages, d_sae], their texts) of windows that no name of a passage feature was made from."""
    n_windows = len(making.texts.ids)
    segments = collect.load_segments(making.work, READ_LAYER)[-collect.N_CHECK :]
    strength = load_sae(making.out / SAES[PASSAGES].path).encode(segments.flatten(0, 1)).numpy()
    return strength, segment_texts(making.texts, range(n_windows - collect.N_CHECK, n_windows))


def _unseen_by_tokens(making: Making) -> tuple[np.ndarray, list[str]]:
    """The same for token features: each feature's largest activation in the passage."""
    rest = range(describe.N_EVIDENCE, collect.N_REFERENCE)
    return segment_peaks(making.codes, rest), segment_texts(making.texts, rest)


def segment_peaks(codes: Codes, windows: range) -> np.ndarray:
    """[passages, width]: each feature's largest activation in the passage."""
    peaks = np.zeros((len(windows) * collect.SEGMENTS, codes.width), np.float16)
    row = 0
    for window in windows:
        for start in range(collect.SEGMENT, collect.WINDOW, collect.SEGMENT):
            # Position p of a window is entry p - 1: BOS has none.
            part = slice(start - 1, start - 1 + collect.SEGMENT)
            np.maximum.at(peaks[row], codes.indices[window, part].ravel(), codes.values[window, part].ravel())
            row += 1
    return peaks


def make_doses(making: Making) -> None:
    """Of the features whose names hold."""
    shown = shown_names(making.work, read_saes(making.out), _lexical(making))
    doses.measure_features(making.out, sorted(shown), making.work)


def make_catalogue(making: Making) -> None:
    saes = read_saes(making.out)
    named = shown_names(making.work, saes, _lexical(making))
    write_features(making.out, making.work, saes, named, _themes(making, named))
    # Which lists the catalogue's hash: weights are not loaded with another.
    make_manifest(making)
    ship_counts(making.out)


def _themes(making: Making, named: Mapping[str, Scored]) -> dict[str, list[str]]:
    """Theme -> ids of the shown passage features that it finds."""
    shown = [int(feature.partition(".")[2]) for feature in named if feature.startswith(f"{PASSAGES}.")]
    values, indices = passage_codes(making.out / SAES[PASSAGES].path, READ_LAYER, making.work)
    texts = segment_texts(making.texts, range(len(making.texts.ids) - collect.N_CHECK))
    found = theme_words.theme_features(texts, values, indices, shown)
    return {theme: [f"{PASSAGES}.{index}" for index in features] for theme, features in found.items()}


def _lexical(making: Making) -> dict[str, float]:
    """Detection scores of the automatic names, by feature."""
    strength, texts = _unseen_by_tokens(making)
    spelt = detection.stems_of(texts)
    found: dict[str, float] = {}
    for index, one in enumerate(load_evidence(making.work, TOKENS)):
        if one["automatic"] is not None:
            score = detection.lexical(one["all_words"], strength[:, index], spelt)
            if score is not None:
                found[f"{TOKENS}.{index}"] = score
    return found


def make_manifest(making: Making) -> None:
    """Enough for the engine to load the weights. Figures of model and SAEs that have not changed are kept."""
    write_manifest(making.out, kept_figures(making.out))


def make_figures(making: Making) -> None:
    ship(making.out, *(measure(making.out, making.corpus, budget) for budget in (FULL, SHORT)))


STEPS: dict[str, Callable[[Making], None]] = {
    "tokens": make_tokens,
    "language-model": make_language_model,
    "passages": make_passages,
    "token-sae": make_token_sae,
    "references": make_references,
    "evidence": make_evidence,
    "quizzes": make_quizzes,
    "trace-saes": make_trace_saes,
    "manifest": make_manifest,
    "doses": make_doses,
    "catalogue": make_catalogue,
    "figures": make_figures,
}
"""In order. Someone reads the evidence and writes names.tsv, and someone else answers the quizzes, in between."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "default")
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--tokens", type=float, default=24, help="millions that the language model is trained on")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--until", choices=list(STEPS), default="figures")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    making = Making(options.corpus, options.out, options.work, int(options.tokens * 1e6), torch.device(options.device))
    for name, step in STEPS.items():
        print(f"== {name}", flush=True)
        step(making)
        if name == options.until:
            break


if __name__ == "__main__":
    main()
