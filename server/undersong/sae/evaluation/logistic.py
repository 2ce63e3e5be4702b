"""Logistic regression by Newton's method: what probes are made of.

    minimise   sum over rows of log(1 + exp(-s (x.w + b)))  +  |w|^2 / (2 C),   s = +1 or -1

with inputs divided by their standard deviation on the training rows; C = 1, sklearn's default. The intercept is free.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

STEPS = 100
TOLERANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Logistic:
    """`weights` [d] and `intercept`, for inputs as they come."""

    weights: Tensor
    intercept: float

    def scores(self, x: Tensor) -> Tensor:
        """[n] log odds of rows [n, d]."""
        return x.double() @ self.weights + self.intercept


def fit(x: Tensor, labels: Tensor, c: float = 1.0) -> Logistic:
    """The probe of rows `x` [n, d] for `labels` [n] bool, both kinds there. ValueError where one is missing."""
    if not 0 < int(labels.sum()) < len(labels):
        raise ValueError(f"logistic: expected rows of both kinds, found {int(labels.sum())} of {len(labels)}")
    scale = x.double().std(dim=0, correction=0)
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    if x.shape[1] > len(x):
        # The best weights are combinations of the rows, so the rows' own coordinates serve, of which there are fewer.
        scaled = x.double() / scale
        basis = torch.linalg.qr(scaled.T).Q  # [d, n]
        weights, intercept = _newton(scaled @ basis, labels, c)
        weights = basis @ weights
    else:
        weights, intercept = _newton(x.double() / scale, labels, c)
    return Logistic(weights / scale, intercept)


def _newton(x: Tensor, labels: Tensor, c: float) -> tuple[Tensor, float]:
    design = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    signs = labels.double() * 2 - 1
    penalty = torch.full((design.shape[1],), 1 / c, dtype=torch.float64)
    penalty[-1] = 0.0
    theta = torch.zeros_like(penalty)

    def loss(theta: Tensor) -> Tensor:
        return torch.nn.functional.softplus(-signs * (design @ theta)).sum() + (penalty * theta.square()).sum() / 2

    current = loss(theta)
    for _ in range(STEPS):
        probability = torch.sigmoid(design @ theta)
        gradient = design.T @ (probability - labels.double()) + penalty * theta
        if float(gradient.norm()) < TOLERANCE * len(x):
            break
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + torch.diag(penalty + 1e-10)
        step = torch.linalg.solve(curvature, gradient)
        size, tried = 1.0, loss(theta - step)
        while not tried <= current and size > 1e-6:
            size /= 2
            tried = loss(theta - size * step)
        theta, current = theta - size * step, tried
    return theta[:-1], float(theta[-1])


@dataclass(frozen=True, slots=True)
class Quality:
    """Of scores against labels, a positive score saying yes. `auc`: see the function of that name."""

    accuracy: float
    f1: float
    auc: float


def quality(scores: Tensor, labels: Tensor) -> Quality:
    """Of `scores` [n] and `labels` [n] bool; `auc` is NaN where one kind is missing."""
    said = scores > 0
    right = float((said & labels).sum())
    wrong = float((said != labels).sum())
    return Quality(
        accuracy=float((said == labels).double().mean()),
        f1=2 * right / (2 * right + wrong) if right + wrong else 0.0,
        auc=auc(scores[labels], scores[~labels]),
    )


def auc(positive: Tensor, negative: Tensor) -> float:
    """Probability that one of `positive` [n] lies above one of `negative` [m], ties counting half; NaN without any."""
    if not len(positive) or not len(negative):
        return float("nan")
    ordered = negative.double().sort().values
    below = torch.searchsorted(ordered, positive.double(), side="left")
    up_to = torch.searchsorted(ordered, positive.double(), side="right")
    return float((below + up_to).double().mean() / 2 / len(negative))
