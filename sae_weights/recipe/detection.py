"""Does a name tell a feature's passages from others? Asked of passages that no name was written from.

    python detection.py WORK [--out FOLDER]     scores the answers in WORK/quizzes into detection.tsv

For each name PER_SIDE passages of 32 tokens in which its feature is strong (above its median there) and as many in
which it is silent are shuffled. A judge sees the name and the passages, nothing else, and says of each whether the
name fits. The score is balanced accuracy, (true positives + true negatives) / 2: 0.5 is chance (Paulo et al. 2024).

A second reader judges the names that were written by hand; automatic names, which list words, are judged by a
program that looks for those words (`lexical`).
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import token_names
from feature_tables import headers, read_lines, write_lines
from keyness import WORD
from manifest import read_saes
from whole_files import written_whole

SCORES = Path(__file__).with_name("detection.tsv")
COMMENT = (
    "# feature, name, score: balanced accuracy of a second reader on passages that the name was not written from "
    "(detection.py)"
)
ENOUGH = 0.65
"""A name that scores less does not hold."""
PER_SIDE = 8
FEWEST = 4  # With fewer passages than this on either side a name is not judged.
SEED = 41


@dataclass(frozen=True, slots=True)
class Quiz:
    """`texts` in the order shown, `fits` whether the feature is strong there."""

    feature: str
    name: str
    texts: tuple[str, ...]
    fits: tuple[bool, ...]


def make_quiz(feature: str, name: str, strength: np.ndarray, texts: Sequence[str]) -> Quiz | None:
    """strength [n]: the feature's activation in each of the texts. None: too few passages."""
    generator = np.random.default_rng([SEED, *f"{feature} {name}".encode()])
    active = np.flatnonzero(strength > 0)
    if not len(active):
        return None
    strong = active[strength[active] >= np.median(strength[active])]
    silent = np.flatnonzero(strength == 0)
    count = min(PER_SIDE, len(strong), len(silent))
    if count < FEWEST:
        return None
    shown = np.concatenate([generator.choice(side, count, replace=False) for side in (strong, silent)])
    order = generator.permutation(2 * count)
    return Quiz(
        feature,
        name,
        tuple(" ".join(texts[shown[i]].split()) for i in order),
        tuple(bool(i < count) for i in order),
    )


def write_quizzes(quizzes: Sequence[Quiz], parts: int, folder: Path, heads: Sequence[str]) -> None:
    """quiz_N.txt for N in 1..parts, without the answers; `heads`, of which weights they are, in weights.txt; last
    key.json with the answers."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in range(parts):
        lines: list[str] = []
        for quiz in quizzes[part::parts]:
            lines.append(f"## {quiz.feature}\t{quiz.name}")
            lines += [f"{number}. {text}" for number, text in enumerate(quiz.texts, start=1)]
        (folder / f"quiz_{part + 1}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_lines(folder / "weights.txt", heads, [])
    key = {quiz.feature: {"name": quiz.name, "fits": quiz.fits} for quiz in quizzes}
    with written_whole(folder / "key.json") as part:
        part.write_text(json.dumps(key))


def read_key(folder: Path) -> dict[str, dict]:
    """Feature -> {"name", "fits"}."""
    return json.loads((folder / "key.json").read_text())


def read_answers(folder: Path) -> dict[str, float]:
    """Feature -> balanced accuracy, from answers_*.tsv: feature, a tab, the numbers that fit with spaces between.

    Raises SystemExit for a line that is not so, not about a feature that was asked about, or about one that has an
    answer already.
    """
    key = read_key(folder)
    found: dict[str, float] = {}
    for file in sorted(folder.glob("answers_*.tsv")):
        for place, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            feature, _, numbers = line.partition("\t")
            if not line:
                continue
            fits = key[feature]["fits"] if feature in key else ()
            numbered = {str(number) for number in range(1, len(fits) + 1)}
            if not fits or not numbered.issuperset(numbers.split()):
                raise SystemExit(
                    f"{file}:{place}: expected a feature of key.json, a tab and numbers of its passages, found {line!r}"
                )
            if feature in found:
                raise SystemExit(f"{file}:{place}: expected one answer for each feature, found a second for {feature}")
            said = {int(number) for number in numbers.split()}
            found[feature] = balanced_accuracy(fits, [n in said for n in range(1, len(fits) + 1)])
    return found


def balanced_accuracy(fits: Sequence[bool], said: Sequence[bool]) -> float:
    """The mean of the shares of true and of false ones that were told rightly; there are some of each."""
    sides = [[s == f for f, s in zip(fits, said, strict=True) if f is side] for side in (True, False)]
    return sum(sum(side) / len(side) for side in sides) / 2


def lexical(words: Sequence[str], strength: np.ndarray, spelt: Sequence[set[str]]) -> float | None:
    """Balanced accuracy of a judge that looks for `words` in the stems of each passage. None: too few passages."""
    active = strength > 0
    strong = strength >= (np.median(strength[active]) if active.any() else np.inf)
    if strong.sum() < FEWEST or (~active).sum() < FEWEST:
        return None
    stems = {token_names.stem(word) for word in words}
    has = np.array([bool(stems & own) for own in spelt])
    return float((has[strong].mean() + (~has[~active]).mean()) / 2)


def stems_of(texts: Sequence[str]) -> list[set[str]]:
    return [{token_names.stem(word) for word in WORD.findall(text.lower())} for text in texts]


def load_scores(saes: Mapping[str, Path]) -> Mapping[str, tuple[str, float]]:
    """detection.tsv, as far as it is about `saes` (id -> folder): feature -> (name judged, balanced accuracy)."""
    found: dict[str, tuple[str, float]] = {}
    for line in read_lines(SCORES, saes) if SCORES.exists() else []:
        feature, name, score = line.fields
        if not score.replace(".", "", 1).isdigit() or float(score) > 1:
            raise SystemExit(f"{line.where}: expected a score from 0 to 1, found {score!r}")
        found[feature] = (name, float(score))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path, help="whose SAEs the quizzes are of, where WORK/quizzes/weights.txt is not")
    options = parser.parse_args(arguments)
    folder = options.work / "quizzes"
    of, key, scores = folder / "weights.txt", read_key(folder), read_answers(folder)
    if options.out:
        heads = headers(read_saes(options.out))
    else:
        heads = of.read_text(encoding="utf-8").splitlines() if of.exists() else []
    lines = [f"{feature}\t{key[feature]['name']}\t{score:.4f}" for feature, score in scores.items()]
    write_lines(SCORES, heads, [COMMENT, *lines])
    hold = [score for score in scores.values() if score >= ENOUGH]
    print(f"{len(scores)} of {len(key)} names judged: {_median([*scores.values()])}")
    print(f"{len(hold)} hold ({ENOUGH} or more): {_median(hold)}")
    if not heads:
        print(f"{SCORES.name} is not bound to weights: say which they are with --out")


def _median(scores: Sequence[float]) -> str:
    return f"median {statistics.median(scores):.3f}" if scores else "no median"


if __name__ == "__main__":
    main()
