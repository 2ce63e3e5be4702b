"""Measures the shipped weights again and compares with what their manifest says.

    python check.py --corpus CORPUS [--folder ../default] [--short]

It prints a table and ends with 1 if a figure does not hold, with 2 if there is no corpus to measure on or nothing to
compare with.

The figures of the language model and of the SAEs (TOLERANCE) are measured again: from the whole held-out text, against
manifest.json, or in the short form from a few windows of it, always the same, against short_figures.json, which
`figures.py --ship` measures in the same way. They must be the same but for what another machine rounds differently;
samples may part there at the first near tie, so they get ERRORS standard errors more.

The figures of the catalogue are only counted again: that it states these detection scores and these features that
steer, not that judging the names (detection.py) and steering (doses.py) would give them again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpus import HELD_OUT
from estimates import Estimate

from figures import FULL, SHORT, SHORT_FIGURES, measure, tables
from undersong.engine.weights import Manifest, read_manifest, verify
from undersong.errors import BadWeights

DEFAULT = Path(__file__).resolve().parents[1] / "default"
ERRORS = 4.0

TOLERANCE = {
    "nats_per_token": 0.003,
    "bits_per_character": 0.001,
    "bits_per_character_full_context": 0.001,
    "bits_per_character_typographic": 0.001,
    "bits_per_character_as_written": 0.001,
    "distinct_1": 0.005,
    "distinct_2": 0.005,
    "distinct_3": 0.005,
    "repetition": 0.005,
    "explained_variance": 0.002,
    "ce_score": 0.002,
    "L0": 0.1,
    "dead": 0.001,
    "dense": 0.001,
    "shrinkage": 0.002,
    "norm_ratio": 0.002,
}
"""What is not here is counted, and must be the same but for the digits that are kept."""
COUNTED = 1e-5

SAMPLED = frozenset({"distinct_1", "distinct_2", "distinct_3", "repetition"})

Stated = Mapping[str, Mapping[str, float]]
"""By SAE id ("": the model and the catalogue) and figure."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure of the SAE `sae`, or ("") of the whole. It must lie in `low` to `high` when measured again."""

    sae: str
    figure: str
    stated: float
    found: Estimate | None
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.found is not None and self.low <= self.found.value <= self.high


def compare(stated: Stated, found: Mapping[str, Mapping[str, Estimate]]) -> list[Line]:
    """A stated figure that is not measured does not hold, nor does a measured one that is not stated: then `stated`,
    `low` and `high` are not numbers.
    """
    lines: list[Line] = []
    for sae in dict.fromkeys([*stated, *found]):
        own, again = stated.get(sae, {}), found.get(sae, {})
        for figure in dict.fromkeys([*own, *again]):
            value, estimate = own.get(figure, float("nan")), again.get(figure)
            allowed = _allowed(figure, value, estimate)
            lines.append(Line(sae, figure, value, estimate, value - allowed, value + allowed))
    return lines


def _allowed(figure: str, stated: float, found: Estimate | None) -> float:
    allowed = TOLERANCE.get(figure, COUNTED * abs(stated))
    return allowed + ERRORS * found.error if found is not None and figure in SAMPLED else allowed


def stated_figures(manifest: Manifest) -> Stated:
    return {"": manifest.measured} | {entry.id: entry.measured for entry in manifest.saes}


def short_figures(file: Path) -> Stated:
    content = json.loads(file.read_text("utf-8"))
    return {"": content["measured"]} | content["saes"]


def table(lines: list[Line]) -> Iterator[str]:
    yield f"{'':4}{'figure':34}{'stated':>12}{'measured':>12}{'allowed from':>14}{'to':>10}"
    for line in lines:
        found = "-" if line.found is None else f"{line.found.value:.5g}"
        mark = "" if line.holds else "  does not hold"
        yield (f"{line.sae:4}{line.figure:34}{line.stated:12.5g}{found:>12}{line.low:14.5g}{line.high:10.5g}{mark}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=DEFAULT)
    parser.add_argument("--short", action="store_true", help="a sample of the text")
    options = parser.parse_args(arguments)
    file = options.corpus / f"fiction-{HELD_OUT}.txt.zst"
    if not file.is_file():
        print(f"weights-check: expected the held-out books in {file}, found no such file", file=sys.stderr)
        return 2
    if options.short and not SHORT_FIGURES.is_file():
        print(f"weights-check: expected the short figures in {SHORT_FIGURES}, found no such file", file=sys.stderr)
        return 2
    try:
        manifest = read_manifest(options.folder)
        verify(options.folder, manifest)
        stated = short_figures(SHORT_FIGURES) if options.short else stated_figures(manifest)
        found = tables(measure(options.folder, options.corpus, SHORT if options.short else FULL))
    except BadWeights as error:
        print(f"weights-check: {error.message}", file=sys.stderr)
        return 1
    lines = compare(stated, found)
    for line in table(lines):
        print(line)
    failed = [f"{line.figure} of {line.sae or 'the model'}" for line in lines if not line.holds]
    if failed:
        print(f"weights-check: does not hold: {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"weights-check: all {len(lines)} figures hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
