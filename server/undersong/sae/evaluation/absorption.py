"""Feature absorption on the first-letter task (arXiv 2409.14507, and sae_bench's `absorption` for the fraction).

A model that can spell knows a word's first letter, and an SAE has a feature for each letter; but on some words the
letter's feature is silent, its part taken over by a feature for the word. For each letter:

1. a probe of the residual stream says whether a word begins with it; the letter counts if the probe's F1 on other
   words is above PROBE_F1, and nothing is said where fewer than KNOWN of the letters do: a model that cannot spell has
   nothing to absorb, and those below some two billion parameters spell badly;
2. the letter's features are the k that tell it best; the next is a split of the letter if it raises F1 by F1_JUMP;
3. on the words that the probe gets right, with cos_i the cosine of decoder row i and the probe's direction u, and
   p_i = f_i cos_i,
   - full absorption: all the letter's features are silent, and the feature of largest p has cos >= 0.025 and
     p >= 0.4 (x.u), x.u > 0;
   - absorption fraction: a / (a + m), m the sum of p over the letter's features and a that of the three largest p of
     others with cos >= 0.1, at most what m leaves of x.u; 0 where m >= x.u or a < 0.4 (x.u), 1 where m <= 0.

Features are ranked by how far their mean on the letter's words lies above that on others, where the paper takes the
weights of an L1 probe.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from undersong.sae.base import SAE
from undersong.sae.evaluation.logistic import fit, quality

PROBE_F1 = 0.6
KNOWN = 20 / 26
F1_JUMP = 0.03
MOST_SPLITS = 10
FULL_COSINE, FRACTION_COSINE = 0.025, 0.1
PROPORTION = 0.4
ABSORBERS = 3
FEWEST_WORDS = 10
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class LetterAbsorption:
    """`f1` of the probe on other words, and of the letter's features; the rest over `words` that the probe got right.

    `splits`: how many features the letter has.
    """

    letter: str
    f1: float
    feature_f1: float
    features: tuple[int, ...]
    full: float
    fraction: float
    words: int

    @property
    def splits(self) -> int:
        return len(self.features)


@dataclass(frozen=True, slots=True)
class Absorption:
    """`probe_f1`: mean over all letters tried. `letters`: those whose probe was good enough; the means are theirs."""

    probe_f1: float
    tried: int
    letters: tuple[LetterAbsorption, ...]

    @property
    def measured(self) -> bool:
        """False where the model cannot spell well enough."""
        return bool(self.letters) and len(self.letters) >= KNOWN * self.tried

    @property
    def fraction(self) -> float:
        return _mean([each.fraction for each in self.letters])

    @property
    def full(self) -> float:
        return _mean([each.full for each in self.letters])

    @property
    def splits(self) -> float:
        return _mean([float(each.splits) for each in self.letters])


def absorption(sae: SAE, words: Sequence[str], residuals: Tensor, test: Tensor) -> Absorption:
    """`residuals` [n, d_in] at each word; `test` [n] bool: words that probes, and absorption, are judged on."""
    codes, x = sae.encode(residuals).float().cpu(), residuals.float().cpu()
    rows = sae.W_dec.float().cpu()
    first = [word[:1].lower() for word in words]
    letters: list[LetterAbsorption] = []
    scores: list[float] = []
    for letter in LETTERS:
        labels = torch.tensor([own == letter for own in first])
        if min(int((labels & test).sum()), int((labels & ~test).sum())) < FEWEST_WORDS:
            continue
        probe = fit(x[~test], labels[~test])
        said = probe.scores(x)
        f1 = quality(said[test], labels[test]).f1
        scores.append(f1)
        if f1 <= PROBE_F1:
            continue
        features, feature_f1 = letter_features(codes, labels, test)
        right = test & labels & (said > 0)
        if right.any():
            full, fraction = absorbed(x[right], codes[right], rows, probe.weights.float(), features)
            count = int(right.sum())
            letters.append(LetterAbsorption(letter, f1, feature_f1, tuple(features), full, fraction, count))
    return Absorption(_mean(scores), len(scores), tuple(letters))


def letter_features(codes: Tensor, labels: Tensor, test: Tensor) -> tuple[list[int], float]:
    """(the features that stand for a label, their F1): one, and each further one that raises F1 by F1_JUMP."""
    fitted, kinds = codes[~test].double(), labels[~test]
    order = (fitted[kinds].mean(0) - fitted[~kinds].mean(0)).argsort(descending=True, stable=True).tolist()
    reached, k = -1.0, 0
    for count in range(1, MOST_SPLITS + 1):
        columns = order[:count]
        f1 = quality(fit(codes[~test][:, columns], labels[~test]).scores(codes[test][:, columns]), labels[test]).f1
        if count > 1 and f1 < reached + F1_JUMP:
            break
        reached, k = f1, count
    return order[:k], reached


def absorbed(x: Tensor, codes: Tensor, rows: Tensor, direction: Tensor, features: Sequence[int]) -> tuple[float, float]:
    """(share of words fully absorbed, mean fraction) of `x` [n, d_in], `codes` [n, d_sae], `rows` [d_sae, d_in]."""
    unit = direction / direction.norm()
    cosine = torch.nn.functional.cosine_similarity(unit[None], rows, dim=1)  # [d_sae]
    parts = codes * cosine  # [n, d_sae]
    along = x @ unit  # [n]
    own = torch.zeros(len(rows), dtype=torch.bool)
    own[list(features)] = True

    top = parts.max(dim=1)
    silent = (codes[:, own].abs() < 1e-8).all(dim=1)
    full = silent & (cosine[top.indices] >= FULL_COSINE) & (along > 0) & (top.values >= PROPORTION * along)

    main = parts[:, own].sum(dim=1)
    others = torch.where((~own & (cosine >= FRACTION_COSINE))[None], parts.clamp_min(0), 0.0)
    taken = others.topk(min(ABSORBERS, others.shape[1]), dim=1).values.sum(dim=1)
    part = torch.minimum(taken, along - main).clamp_min(0)
    fraction = torch.where(main <= 0, 1.0, part / (part + main).clamp_min(1e-12))
    none = (main >= along) | (taken / along < PROPORTION)
    return float(full.float().mean()), float(torch.where(none, 0.0, fraction).mean())


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
