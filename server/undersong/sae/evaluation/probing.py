"""Sparse probing: how much of what a text is, can be told from k features alone (Gurnee et al., arXiv 2305.01610).

A text's features are their mean activations over its tokens. The k whose means differ most between the two kinds of
training texts are taken, a logistic regression of those is fitted, and it is judged on other texts; a text that stands
there twice counts once, so that none is on both sides. Beside it stand
the same with k coordinates of the residual stream, and with all of it: what could be had. Of the measures that
sae_bench has, this one told good SAEs from bad most reliably (arXiv 2605.18229).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from undersong.errors import BadText
from undersong.sae.evaluation.logistic import fit, quality

KS = (1, 2, 5)
HELD_OUT = 0.3
"""Share of the texts that probes are judged on."""
FEWEST = 20
"""Texts of a kind without which no probe is made."""


@dataclass(frozen=True, slots=True)
class Task:
    """Texts that are so (`labels` True) or not."""

    name: str
    texts: tuple[str, ...]
    labels: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Probe:
    """How well one task is told from `of`: features, coordinates, or the whole residual stream (`k` None).

    `chosen`: which features or coordinates.
    """

    task: str
    of: str
    k: int | None
    accuracy: float
    f1: float
    auc: float
    base: float
    chosen: tuple[int, ...] = ()


def read_tasks(path: Path) -> tuple[Task, ...]:
    """A task for each label of a file of lines `label<TAB>text`: that label against all others. BadText.

    A text of two labels is refused: it would be an example of both kinds.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadText(f"{path}: expected a file of lines of label, tab, text: {error}") from error
    of: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        label, tab, text = line.partition("\t")
        if line.strip() and not line.startswith("#"):
            if not tab or not text.strip():
                raise BadText(f"{path}: line {number}: expected label, tab, text; found {line[:60]!r}")
            known = of.setdefault(text.strip(), label.strip())
            if known != label.strip():
                raise BadText(
                    f"{path}: line {number}: expected one label a text, found {label.strip()!r} and {known!r} of "
                    f"{text.strip()[:60]!r}"
                )
    labels = sorted(set(of.values()))
    if len(labels) < 2:
        raise BadText(f"{path}: expected at least two labels, found {labels}")
    names = labels[:1] if len(labels) == 2 else labels
    texts = tuple(of)
    return tuple(Task(f"{path.stem}: {name}", texts, tuple(own == name for own in of.values())) for name in names)


def source_tasks(passages: Mapping[str, Sequence[str]], most: int = 200, seed: int = 0) -> tuple[Task, ...]:
    """A task for each source (a book, an author): its passages against as many of the others, at most `most` each. Of
    two sources one task: the other is the same asked the other way about."""
    shuffler = random.Random(seed)
    tasks: list[Task] = []
    # What several sources have in common (a licence, a heading) tells none of them.
    having = Counter(text for texts in passages.values() for text in set(texts))
    only = {name: [text for text in dict.fromkeys(texts) if having[text] == 1] for name, texts in passages.items()}
    names = list(only)[:1] if len(only) == 2 else list(only)
    for name in names:
        own = only[name]
        others = [text for other, texts in only.items() if other != name for text in texts]
        count = min(most, len(own), len(others))
        if count >= FEWEST:
            texts = (*shuffler.sample(own, count), *shuffler.sample(others, count))
            tasks.append(Task(f"from {name}", texts, (True,) * count + (False,) * count))
    return tuple(tasks)


def probe(task: Task, codes: Tensor, residuals: Tensor, ks: Sequence[int] = KS, seed: int = 0) -> list[Probe]:
    """`codes` [n, d_sae] and `residuals` [n, d_in]: the means of the task's texts. BadText with too few of a kind."""
    labels = torch.tensor(task.labels)
    if min(int(labels.sum()), int((~labels).sum())) < FEWEST:
        raise BadText(
            f"probe {task.name!r}: expected {FEWEST} texts of each kind or more, "
            f"found {int(labels.sum())} and {int((~labels).sum())}"
        )
    test = _held_out(labels, seed)
    found: list[Probe] = []
    base = max(float(labels[test].double().mean()), 1 - float(labels[test].double().mean()))
    for of, x in (("features", codes), ("coordinates", residuals)):
        x = x.cpu()
        order = most_different(x[~test], labels[~test])
        for k in ks:
            columns = order[:k]
            scores = fit(x[~test][:, columns], labels[~test]).scores(x[test][:, columns])
            found.append(_probe(task.name, of, k, scores, labels[test], base, tuple(columns.tolist())))
    whole = residuals.cpu()
    found.append(
        _probe(task.name, "residual", None, fit(whole[~test], labels[~test]).scores(whole[test]), labels[test], base)
    )
    return found


def most_different(x: Tensor, labels: Tensor) -> Tensor:
    """Columns of `x` [n, d] by how far their means differ between the kinds, the farthest first: [d]."""
    return (x[labels].double().mean(0) - x[~labels].double().mean(0)).abs().argsort(descending=True, stable=True)


def _held_out(labels: Tensor, seed: int) -> Tensor:
    """[n] bool: the same share of each kind."""
    generator = torch.Generator().manual_seed(seed)
    test = torch.zeros(len(labels), dtype=torch.bool)
    for kind in (True, False):
        own = torch.nonzero(labels == kind)[:, 0]
        own = own[torch.randperm(len(own), generator=generator)]
        test[own[: max(1, round(HELD_OUT * len(own)))]] = True
    return test


def _probe(
    task: str, of: str, k: int | None, scores: Tensor, labels: Tensor, base: float, chosen: tuple[int, ...] = ()
) -> Probe:
    found = quality(scores, labels)
    return Probe(task, of, k, found.accuracy, found.f1, found.auc, base, chosen)
