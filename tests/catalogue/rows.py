"""A small catalogue for the tests of this folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from undersong.catalogue.build import CatalogueRow, write_catalogue
from undersong.catalogue.store import Catalogue
from undersong.wire import Dose, FeatureCard, Outcome, Passage

PASSAGE = Passage(before="She ", token="wept", after=" again.", activation=3.5, source="A Book")


def row(feature: str, name: str | None, words: str = "", shown: bool = True) -> CatalogueRow:
    card = FeatureCard(
        feature=feature,
        name=name if name is not None else feature,
        provenance="by hand",
        sae=feature.split(".")[0],
        frequency=0.01,
        max_activation=9.5,
        promoted=("tears", "“sobs”"),
        suppressed=(),
        passages=(PASSAGE,),
        detection=0.75,
        steers=None,
    )
    return CatalogueRow(card=card, words=words, shown=shown)


def changed(made: CatalogueRow, **figures: object) -> CatalogueRow:
    """The same feature with other figures on its card."""
    return replace(made, card=replace(made.card, **figures))  # type: ignore[arg-type]


DOSE = Dose(norm=2.5, activation=2.5, kl_p95=0.9)
OUTCOME = Outcome(presence_before=0.125, presence_after=0.75, perplexity_ratio=1.25)


ROWS = (
    row("p3.1", "grief", "sadness, sorrow, mourning, wept, tears"),
    changed(row("p3.2", "the sea", "ship, sailing, waves"), steers=True, dose=DOSE, output_score=0.5, outcome=OUTCOME),
    changed(row("p3.3", "ships", "sea, sailors, captain"), steers=False, dose=DOSE),
    row("p3.4", "letters", "letter, post, wrote"),
    row("p3.5", "wind and snow", "cold, winter"),
    row("p3.6", "wind", "storm"),
    row("p3.7", "café talk", "coffee"),
    row("3.8", None, "unnamed", shown=False),
    changed(row("3.9", "hidden", "sea", shown=False), steers=False),
)


def small(folder: Path) -> Catalogue:
    path = folder / "catalogue.sqlite"
    write_catalogue(path, ROWS)
    return Catalogue.open(path)
