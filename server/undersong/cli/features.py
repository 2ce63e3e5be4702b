"""`undersong features`: the features of the default weights by name, from their catalogue, without an engine."""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from undersong.assist.cells import width
from undersong.assist.phrases import READS_ONLY
from undersong.catalogue.store import Catalogue
from undersong.engine.weights import Manifest, find_default, read_manifest
from undersong.errors import UnknownFeature

FOUND = 20
"""The most that a search lists: past that, hits share little with what was asked."""
STEERS = {True: "steers", False: READS_ONLY, None: "not measured"}
HEADINGS = ("name", "id", "detection", "steering")


@dataclass(frozen=True, slots=True)
class Listed:
    """`detection` and `steers` as on its card."""

    name: str
    feature: str
    detection: float | None
    steers: bool | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORDS", help=f"list what these find, best first (at most {FOUND})")
    parser.add_argument("--steer", action="store_true", help="only those that were measured to steer")


def run(arguments: argparse.Namespace) -> int:
    folder = find_default()
    manifest = read_manifest(folder)
    catalogue = Catalogue.open(folder / manifest.catalogue) if manifest.catalogue else Catalogue.empty()
    try:
        query = " ".join(arguments.words).strip()
        found = searched(catalogue, query) if query else tuple(catalogue.names())
        loaded = {sae.id for sae in manifest.saes if sae.is_loaded}
        features = [listed(catalogue, manifest, feature) for feature in found if feature.rpartition(".")[0] in loaded]
    finally:
        catalogue.close()
    if arguments.steer:
        features = [feature for feature in features if feature.steers]
    if not features:
        raise UnknownFeature(f"there is no feature to list{f' for “{query}”' if query else ''}")
    print(f"Default weights: {manifest.name} ({folder})\n")
    for line in table(features[:FOUND] if query else features):
        print(line)
    return 0


def searched(catalogue: Catalogue, query: str) -> tuple[str, ...]:
    """Ids of everything that `query` finds, best first."""
    return tuple(hit.feature for hit in catalogue.search(query, len(catalogue.names())))


def listed(catalogue: Catalogue, manifest: Manifest, feature: str) -> Listed:
    """A feature of the catalogue; one of an SAE that is not there to steer does not steer."""
    card = catalogue.card(feature)
    assert card is not None
    return Listed(card.name, feature, card.detection, card.steers if manifest.steers(feature) else False)


def table(features: list[Listed]) -> list[str]:
    """Lines of aligned columns under their headings."""
    rows = [HEADINGS, *((f.name, f.feature, _score(f.detection), STEERS[f.steers]) for f in features)]
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_padded, row, widths)).rstrip() for row in rows]


def _score(detection: float | None) -> str:
    return "" if detection is None else f"{detection:.2f}"


def _padded(text: str, cells: int) -> str:
    return text + " " * (cells - width(text))
