"""Which dictionary reads themes best, and along which a text is steered best: what default/ ships was chosen by this.

    python compare.py --weights FOLDER --corpus DIR --work WORK  SAE_FOLDER[:steering.safetensors] ...

For each theme of benchmarks/themes.tsv each dictionary's feature is found by the `find` words alone: the one whose
activation lies most on passages with such words, p log(p / q). Then

- reading: p / q of the `score` words, in windows that the passage dictionary was not trained on; for token SAEs,
  windows that no name was made from;
- steering: rate of `score` words in texts at strength 1 over that in unsteered texts, and ratio of perplexities.
  The openings are those of the calibration; the benchmark's own are left for the benchmark;
- fidelity: the figures that manifest.json has of every SAE, on HELDOUT windows of the held-out books.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

import collect
import numpy as np
import root  # noqa: F401
import torch
from benchmarks.steering.texts import Desk, Written, desk, load_weights, nats_per_token, played, turned_to, unsteered
from benchmarks.steering.themes import Theme, count, read_themes, words
from codes import token_codes
from corpus import read_heldout_books
from describe import N_EVIDENCE, segment_texts
from heldout import ordinary, spread, tokens_of, whole, windows
from keyness import SMOOTHING
from make import Making, segment_peaks
from model_figures import bos_of
from sae_figures import measure_saes
from safetensors.torch import load_file

from figures import estimates
from undersong.catalogue.doses import Doses
from undersong.engine.calibration import calibrate
from undersong.engine.loading import Dictionary
from undersong.engine.openings import OPENINGS
from undersong.engine.presence import LEVELS, Reference
from undersong.engine.steering import Turned
from undersong.sae.base import SAE
from undersong.sae.load import load_sae

SAMPLES, N_TOKENS = 6, 40
HELDOUT = 64


@dataclass(frozen=True, slots=True)
class Found:
    """A theme's feature in one dictionary. `lift`: p / q of the find words; `unseen_lift`: of the score words."""

    theme: str
    index: int
    lift: float
    unseen_lift: float
    rate_ratio: float
    perplexity_ratio: float


def lifts(strength: np.ndarray, has: np.ndarray) -> tuple[np.ndarray, float]:
    """strength [passages, d_sae], has [passages] bool -> (p / q of each feature, q)."""
    q = float(has.mean())
    return (strength[has].sum(0) + SMOOTHING * q) / (strength.sum(0) + SMOOTHING) / q, q


def strengths(making: Making, sae: SAE, folder: Path, windows: range) -> np.ndarray:
    """[passages, d_sae] of those windows, which lie in the reference for a token SAE. In units of the mean."""
    if sae.grain == "passage":
        segments = collect.load_segments(making.work, sae.hook_layer)[windows.start : windows.stop]
        found = sae.encode(segments.flatten(0, 1)).float().numpy()
    else:
        residual = np.load(making.work / f"residual_{sae.hook_layer}.npy")
        found = segment_peaks(token_codes(folder, residual), windows).astype(np.float32)
    active = found > 0
    return found / np.maximum(found.sum(0) / np.maximum(active.sum(0), 1), 1e-9)


def dictionary(sae: SAE, directions: torch.Tensor | None) -> Dictionary:
    """Without reference statistics: nothing is told by presence here."""
    nothing = torch.zeros(sae.d_sae)
    reference = Reference(torch.tensor(LEVELS), torch.zeros(sae.d_sae, len(LEVELS)), nothing, nothing, nothing)
    return Dictionary(sae, ("steer",), reference, nothing.bool(), directions)


def compare(making: Making, place: Desk, base: list[Written], folder: Path, steering: Path | None) -> list[Found]:
    sae = load_sae(folder)
    n = len(making.texts.ids)
    if sae.grain == "passage":
        seen, kept = range(0, n - collect.N_CHECK), range(n - collect.N_CHECK, n)
    else:
        seen, kept = range(0, N_EVIDENCE), range(N_EVIDENCE, collect.N_REFERENCE)
    known = [set(words(text)) for text in segment_texts(making.texts, seen)]
    fresh = [set(words(text)) for text in segment_texts(making.texts, kept)]
    strong, weak = strengths(making, sae, folder, seen), strengths(making, sae, folder, kept)
    own = dictionary(sae, load_file(steering)["directions"].float() if steering else None)
    found: list[Found] = []
    for theme in read_themes():
        lift, q = lifts(strong, np.array([bool(theme.find & each) for each in known]))
        index = int(np.argmax(q * lift * np.log(lift)))
        unseen, _ = lifts(weak[:, [index]], np.array([bool(theme.score & each) for each in fresh]))
        turned = Turned(own, index, "floor")
        dose = played(calibrate(place.loaded, own, index))
        (texts,) = turned_to(place, [turned], [dose], 1.0, SAMPLES, N_TOKENS)
        ratio = _rate(texts, theme) / max(_rate(base, theme), 0.01)
        found.append(
            Found(
                theme.name,
                index,
                float(lift[index]),
                float(unseen[0]),
                ratio,
                math.exp(nats_per_token(texts) - nats_per_token(base)),
            )
        )
    return found


def _rate(texts: list[Written], theme: Theme) -> float:
    """Words of the scoring half in 100 words."""
    found = [words(text.text) for text in texts]
    return 100 * sum(count(each, theme.score) for each in found) / sum(map(len, found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("dictionaries", nargs="+")
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    making = Making(options.corpus, options.weights, options.work, 0, torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        place = desk(load_weights(options.weights), Doses.open(Path(folder) / "doses.sqlite"), OPENINGS)
    base = unsteered(place, 4 * SAMPLES, N_TOKENS)
    model = place.loaded.model
    books = tokens_of(model, ordinary(read_heldout_books(options.corpus)))
    rows = spread(whole(windows(books, collect.WINDOW, bos_of(model))), HELDOUT)
    for named in options.dictionaries:
        sae, _, steering = named.partition(":")
        found = compare(making, place, base, Path(sae), Path(steering) if steering else None)
        medians = {
            name: round(statistics.median(getattr(one, name) for one in found), 3)
            for name in ("lift", "unseen_lift", "rate_ratio", "perplexity_ratio")
        }
        reached = sum(one.rate_ratio >= 3 for one in found)
        for one in found:
            print(
                f"  {one.theme:20} {one.index:5}  lift {one.lift:6.1f}  unseen {one.unseen_lift:5.1f}  "
                f"words x{one.rate_ratio:5.1f}  perplexity x{one.perplexity_ratio:.2f}"
            )
        print(f"{named}: {medians}, {reached} of {len(found)} themes x3", flush=True)
        fidelity = estimates(measure_saes(model, {named: load_sae(Path(sae))}, rows)[named])
        print("  " + ", ".join(f"{name} {one.value:.3f}" for name, one in fidelity.items()), flush=True)


if __name__ == "__main__":
    main()
