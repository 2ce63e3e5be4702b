"""Measures a folder of weights on the held-out books.

    python figures.py FOLDER --corpus CORPUS [--out FILE | --ship]

FOLDER has a manifest.json, or is laid out as the seed model is (model/, saes/*). It prints every figure with its
standard error. FILE gets them as `numbers` gives them; --ship writes them into FOLDER itself, and what the short form
of check.py has to find into short_figures.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from corpus import read_heldout_books
from estimates import Estimate
from heldout import ordinary, spread, tokens_of, whole, windows
from manifest import write_manifest
from model_figures import LENGTH, ModelFigures, bos_of, measure_model
from sae_figures import SAEFigures, measure_saes
from whole_files import written_whole

from undersong.catalogue.store import Catalogue
from undersong.engine.weights import MANIFEST, read_manifest
from undersong.model.load import load_model
from undersong.sae.base import SAE
from undersong.sae.load import load_sae
from undersong.wire import FeatureCard

SIGNIFICANT = 6
"""Digits that are kept of a figure."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many windows of each text are read (None: all), and how many samples are written."""

    windows: int | None
    samples: int


FULL, SHORT = Budget(None, 100), Budget(32, 32)
SHORT_FIGURES = Path(__file__).with_name("short_figures.json")


@dataclass(frozen=True, slots=True)
class CatalogueFigures:
    """Of the features that are shown to writers.

    `named_features_read`: those of SAEs that read. `passage_share`: how many of all belong to a dictionary of
    passages. `median_detection`: of the scores there are. `steers_share`: of the `steers_measured` features whose
    effect was measured; `presence_rose_share`: of those with an outcome, in how many presence was higher after raising.
    None: nothing to take it of.
    """

    named_features: Estimate
    named_features_read: Estimate
    passage_share: Estimate | None
    median_detection: Estimate | None
    steers_measured: Estimate
    steers_share: Estimate | None
    presence_rose_share: Estimate | None


@dataclass(frozen=True, slots=True)
class Figures:
    """`saes` by id; `catalogue` None where the weights have none."""

    model: ModelFigures
    saes: dict[str, SAEFigures]
    catalogue: CatalogueFigures | None


@dataclass(frozen=True, slots=True)
class Parts:
    """What lies in a folder of weights. `reading`: ids of the SAEs that read."""

    model: Path
    saes: dict[str, SAE]
    reading: frozenset[str]
    catalogue: Path | None


def parts(folder: Path) -> Parts:
    """WeightsMissing or WeightsFormat for what cannot be loaded."""
    if not (folder / MANIFEST).is_file():
        loaded = [load_sae(path) for path in sorted((folder / "saes").iterdir())]
        return Parts(folder / "model", {sae.id: sae for sae in loaded}, frozenset(sae.id for sae in loaded), None)
    manifest = read_manifest(folder)
    return Parts(
        folder / manifest.model,
        {entry.id: load_sae(folder / entry.path, id=entry.id) for entry in manifest.saes},
        frozenset(entry.id for entry in manifest.saes if "read" in entry.roles),
        folder / manifest.catalogue if manifest.catalogue else None,
    )


def measure(folder: Path, corpus: Path, budget: Budget) -> Figures:
    """Everything. WeightsMissing or WeightsFormat for weights that cannot be loaded."""
    there = parts(folder)
    model = load_model(there.model, "cpu", offline=True)
    books = read_heldout_books(corpus)
    rows = windows(tokens_of(model, ordinary(books)), min(LENGTH, model.context), bos_of(model))
    return Figures(
        measure_model(model, books, budget.windows, budget.samples),
        measure_saes(model, there.saes, spread(whole(rows), budget.windows)),
        measure_catalogue(there.catalogue, there) if there.catalogue else None,
    )


def measure_catalogue(file: Path, there: Parts) -> CatalogueFigures:
    catalogue = Catalogue.open(file)
    cards = [card for feature in catalogue.names() if (card := catalogue.card(feature))]
    catalogue.close()
    detections = [card.detection for card in cards if card.detection is not None]
    steers = [card.steers for card in cards if card.steers is not None]
    rose = [card.outcome.presence_after > card.outcome.presence_before for card in cards if card.outcome]
    passages = [there.saes[_sae_id(card)].grain == "passage" for card in cards]
    return CatalogueFigures(
        named_features=Estimate(len(cards)),
        named_features_read=Estimate(sum(_sae_id(card) in there.reading for card in cards)),
        passage_share=_of(statistics.fmean, passages),
        median_detection=_of(statistics.median, detections),
        steers_measured=Estimate(len(steers)),
        steers_share=_of(statistics.fmean, steers),
        presence_rose_share=_of(statistics.fmean, rose),
    )


def _of(figure: Callable[[Sequence[float]], float], values: Sequence[float]) -> Estimate | None:
    return Estimate(figure(values)) if values else None


def _sae_id(card: FeatureCard) -> str:
    return card.feature.rpartition(".")[0]


def estimates(figures: ModelFigures | SAEFigures | CatalogueFigures) -> dict[str, Estimate]:
    """By name, without those there are not."""
    found = {field.name: getattr(figures, field.name) for field in fields(figures)}
    return {name: estimate for name, estimate in found.items() if estimate is not None}


def tables(figures: Figures) -> dict[str, dict[str, Estimate]]:
    """All figures: "" -> those of the manifest itself (model and catalogue), an SAE's id -> those of its entry."""
    whole_folder = estimates(figures.model) | (estimates(figures.catalogue) if figures.catalogue else {})
    return {"": whole_folder} | {name: estimates(own) for name, own in figures.saes.items()}


def numbers(figures: Figures) -> dict[str, Any]:
    """{"measured": {...}, "saes": {id: {...}}}: what manifest.json and seed_figures.json keep, without the errors."""
    found = {name: _rounded(table) for name, table in tables(figures).items()}
    return {"measured": found.pop(""), "saes": found}


def ship(folder: Path, figures: Figures, short: Figures) -> None:
    """Writes the figures into the manifest, and those of each SAE into its cfg.json, which the manifest quotes.

    `short`: measured with the budget SHORT, into SHORT_FIGURES.
    """
    kept = numbers(figures)
    for entry in read_manifest(folder).saes:
        file = folder / entry.path / "cfg.json"
        config = json.loads(file.read_text("utf-8"))
        config["metadata"]["measured"] = kept["saes"][entry.id]
        with written_whole(file) as part:
            part.write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    write_manifest(folder, kept["measured"])
    with written_whole(SHORT_FIGURES) as part:
        part.write_text(json.dumps(numbers(short), indent=1) + "\n", encoding="utf-8")


def ship_counts(folder: Path) -> None:
    """Counts the features of the catalogue again: it may be made anew while model and SAEs stay what they were."""
    there = parts(folder)
    if there.catalogue is None:
        return
    counted = _rounded(estimates(measure_catalogue(there.catalogue, there)))
    write_manifest(folder, {**read_manifest(folder).measured, **counted})
    if SHORT_FIGURES.is_file():
        short = json.loads(SHORT_FIGURES.read_text("utf-8"))
        short["measured"] |= counted
        with written_whole(SHORT_FIGURES) as part:
            part.write_text(json.dumps(short, indent=1) + "\n", encoding="utf-8")


def _rounded(table: Mapping[str, Estimate]) -> dict[str, float]:
    return {name: _digits(estimate.value) for name, estimate in table.items()}


def _digits(value: float) -> float:
    return value if isinstance(value, int) else float(f"{value:.{SIGNIFICANT}g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--windows", type=int, default=FULL.windows, help="of each text, instead of all")
    parser.add_argument("--samples", type=int, default=FULL.samples)
    options = parser.parse_args()
    figures = measure(options.folder, options.corpus, Budget(options.windows, options.samples))
    for name, table in tables(figures).items():
        print(name and f"\nSAE {name}")
        for figure, estimate in table.items():
            print(f"  {figure:34}{estimate.value:12.5g}  +- {estimate.error:.2g}")
    if options.ship:
        ship(options.folder, figures, measure(options.folder, options.corpus, SHORT))
    if options.out:
        options.out.write_text(json.dumps(numbers(figures), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
