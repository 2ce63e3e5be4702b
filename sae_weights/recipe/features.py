"""Puts the catalogue together: names, words, evidence, statistics and doses of the SAEs that are read.

A name stands in names.tsv, given by whoever read the evidence, or else it is automatic (token features only). It is
shown if detection.py scored it at ENOUGH or more on passages that it was not made from. Names and scores are of the
weights that their tables are bound to (feature_tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import detection
import numpy as np
from describe import load_evidence
from detection import ENOUGH
from doses import Measured, load_measured
from feature_tables import read_lines
from safetensors.torch import load_file

from undersong.catalogue.build import CatalogueRow, write_catalogue
from undersong.catalogue.queries import plain_name
from undersong.wire import FeatureCard, Passage

HERE = Path(__file__).parent
NAMES = HERE / "names.tsv"
OWN_WORDS = 8
SHORTEST, LONGEST = 3, 24
"""Characters of a name: it must fit in a hint."""
READ = "read by an assistant: key words, top passages, words it raises; judged by a second one"
AUTOMATIC = "automatic: the words it is strongest on; judged by looking for them"
UNNAMED = "unnamed"


@dataclass(frozen=True, slots=True)
class Given:
    """`words`: others to find it by."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """A name and its balanced accuracy."""

    given: Given
    detection: float
    provenance: str


def write_features(
    out: Path,
    work: Path,
    saes: Mapping[str, Path],
    named: Mapping[str, Scored],
    themes: Mapping[str, Sequence[str]],
) -> None:
    """`saes`: id -> folder, the one that should win where search finds several equally good first.

    `named`: what shown_names gives; `themes`: theme -> the features that it finds (theme_words.py).
    """
    measured = load_measured(out, work)
    rows: list[CatalogueRow] = []
    for sae, folder in saes.items():
        reference = load_file(folder / "reference.safetensors")
        for index, evidence in enumerate(load_evidence(work, sae)):
            feature = f"{sae}.{index}"
            numbers = {key: _rounded(reference[key][index]) for key in ("frequency", "max")}
            rows.append(_row(feature, sae, evidence, numbers, named.get(feature), measured.get(feature)))
        mine = [row for row in rows if row.card.sae == sae]
        steering = sum(row.shown and row.card.steers is True for row in mine)
        print(f"{sae}: {len(mine)} features, {sum(row.shown for row in mine)} shown, {steering} of them steer")
    write_catalogue(out / "catalogue.sqlite", rows, themes)


def shown_names(work: Path, saes: Mapping[str, Path], lexical: Mapping[str, float]) -> dict[str, Scored]:
    """The names that hold, by feature."""
    evidence = {sae: load_evidence(work, sae) for sae in saes}
    return names_of(evidence, given_names(saes), detection.load_scores(saes), lexical)


def names_of(
    evidence: Mapping[str, list[dict]],
    given: Mapping[str, Given],
    judged: Mapping[str, tuple[str, float]],
    lexical: Mapping[str, float],
) -> dict[str, Scored]:
    """The names that hold, each once: of two features of one name the better scored keeps it, in whichever SAE.

    `evidence`: by SAE; `judged`: (name that was judged, score) of given names, `lexical`: scores of automatic ones.
    """
    found: dict[str, Scored] = {}
    for sae, features in evidence.items():
        for index, one in enumerate(features):
            feature = f"{sae}.{index}"
            if feature in given:
                name, score = judged.get(feature, ("", 0.0))
                if name == given[feature].name:
                    found[feature] = Scored(given[feature], score, READ)
            elif one["automatic"] is not None and feature in lexical:
                own = Given(one["automatic"], tuple(one["all_words"]))
                found[feature] = Scored(own, lexical[feature], AUTOMATIC)
    best: dict[str, str] = {}
    for feature, scored in sorted(found.items(), key=lambda item: -item[1].detection):
        if scored.detection >= ENOUGH:
            best.setdefault(scored.given.name, feature)
    return {feature: found[feature] for feature in best.values()}


def _row(
    feature: str,
    sae: str,
    evidence: dict,
    numbers: dict[str, float],
    scored: Scored | None,
    measured: Measured | None,
) -> CatalogueRow:
    card = FeatureCard(
        feature=feature,
        name=scored.given.name if scored else feature,
        provenance=scored.provenance if scored else UNNAMED,
        sae=sae,
        frequency=numbers["frequency"],
        max_activation=numbers["max"],
        promoted=tuple(evidence["promoted"]),
        suppressed=tuple(evidence["suppressed"]),
        passages=tuple(Passage(*passage) for passage in evidence["passages"]),
        detection=round(scored.detection, 3) if scored else None,
        steers=measured.steers if measured else None,
        dose=measured.dose if measured else None,
        output_score=measured.output_score if measured else None,
        outcome=measured.outcome if measured else None,
    )
    words = ", ".join(_words(evidence, scored.given)) if scored else ""
    return CatalogueRow(card, words, scored is not None)


def _words(evidence: dict, given: Given) -> list[str]:
    """What it is found by besides its name and its themes: the words given and its own key words."""
    own = [word if isinstance(word, str) else word[0] for word in evidence["words"][:OWN_WORDS]]
    return list(dict.fromkeys([*given.words, *own]))


def given_names(saes: Mapping[str, Path]) -> dict[str, Given]:
    """names.tsv, as far as it is about `saes` (id -> folder): feature, name, words a writer might search for.

    Raises SystemExit for a line that is not so.
    """
    found: dict[str, Given] = {}
    for line in read_lines(NAMES, saes):
        feature, name, words = line.fields
        if name != plain_name(name) or not SHORTEST <= len(name) <= LONGEST:
            expected = f"a name of {SHORTEST} to {LONGEST} characters, lower case, single spaces"
            raise SystemExit(f"{line.where}: expected {expected}, found {name!r}")
        if words != words.lower() or feature in found:
            raise SystemExit(f"{line.where}: expected each feature once, its words in lower case, found {line.fields}")
        found[feature] = Given(name, tuple(words.split()))
    return found


def _rounded(value: np.ndarray) -> float:
    return float(f"{float(value):.4g}")
