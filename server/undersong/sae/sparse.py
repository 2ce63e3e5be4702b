"""Codes of which few numbers are not zero, as learning needs them: which, how much, and what goes backwards.

A code that keeps 32 of 4096 features needs one product with all features, to know which are largest. All else (the
reconstruction, the gradients of both matrices) needs only the rows that were kept: gathered by embedding_bag on the
CPU. On CUDA a dense product is faster than a gather at the widths in use, and the same functions use one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Picks:
    """Entries (row, feature) of a matrix [n, d_sae], sorted by row: `rows` [m], `features` [m]."""

    rows: Tensor
    features: Tensor
    n: int
    d_sae: int

    @cached_property
    def offsets(self) -> Tensor:
        """[n]: where each row's entries begin."""
        return _starts(self.rows, self.n)

    @cached_property
    def by_feature(self) -> tuple[Tensor, Tensor, Tensor]:
        """(order that sorts the entries by feature [m], their rows [m], where each feature's begin [d_sae])."""
        order = self.features.argsort(stable=True)
        return order, self.rows[order], _starts(self.features, self.d_sae)

    def dense(self, values: Tensor) -> Tensor:
        """[n, d_sae]"""
        whole = values.new_zeros(self.n, self.d_sae)
        return whole.index_put((self.rows, self.features), values, accumulate=False)

    def kept(self, which: Tensor) -> Picks:
        """Only the entries where `which` [m] bool."""
        return Picks(self.rows[which], self.features[which], self.n, self.d_sae)


def top_of_rows(pre: Tensor, k: int) -> Picks:
    """The k largest of each row of pre [n, d_sae]."""
    n, d_sae = pre.shape
    features = pre.topk(k, dim=1, sorted=False).indices.reshape(-1)
    rows = torch.arange(n, device=pre.device).repeat_interleave(k)
    return Picks(rows, features, n, d_sae)


def top_of_batch(pre: Tensor, k: int) -> Picks:
    """The n k largest of pre [n, d_sae] that are above 0, however they fall on the rows.

    A bound that none of them lies below, from the 2 k largest of each row; then exactly, among what reaches it.
    """
    n, d_sae = pre.shape
    wanted = n * k
    candidates = pre.topk(min(2 * k, d_sae), dim=1, sorted=False).values.reshape(-1)
    bound = candidates.kthvalue(candidates.numel() - wanted + 1).values
    entries = ((pre >= bound) & (pre > 0)).nonzero()
    rows, features = entries[:, 0], entries[:, 1]
    if len(rows) > wanted:
        values = pre[rows, features]
        least = values.kthvalue(len(values) - wanted + 1).values
        above = values >= least
        rows, features = rows[above], features[above]
    return Picks(rows, features, n, d_sae)


def picked(x: Tensor, w_enc: Tensor, bias: Tensor, pre: Tensor, picks: Picks) -> Tensor:
    """[m]: the entries `picks` of x w_enc + bias, whose values `pre` [n, d_sae] are known; x gets no gradient."""
    return _Picked.apply(x, w_enc, bias, pre, picks)  # pyright: ignore[reportReturnType]


def decoded(values: Tensor, picks: Picks, w_dec: Tensor) -> Tensor:
    """[n, d_out]: the matrix of `values` at `picks` times w_dec [d_sae, d_out]."""
    if _by_products(values):
        return picks.dense(values) @ w_dec
    out = F.embedding_bag(
        picks.features, w_dec.detach(), picks.offsets, mode="sum", per_sample_weights=values.to(w_dec.dtype)
    )
    return _WithWeightGradient.apply(out, w_dec, values.detach(), picks)  # pyright: ignore[reportReturnType]


class _Picked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, w_enc: Tensor, bias: Tensor, pre: Tensor, picks: Picks) -> Tensor:
        del bias
        ctx.save_for_backward(x)
        ctx.picks, ctx.dtype = picks, w_enc.dtype
        return pre[picks.rows, picks.features]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        picks: Picks = ctx.picks
        gradient = gradient.float()
        for_bias = gradient.new_zeros(picks.d_sae).index_add_(0, picks.features, gradient)
        return None, _sums_by_feature(x, gradient, picks).t().to(ctx.dtype), for_bias, None, None


class _WithWeightGradient(torch.autograd.Function):
    """The first argument as it is; backwards, w_dec gets the gradient of the product it came from."""

    @staticmethod
    def forward(ctx: Any, out: Tensor, w_dec: Tensor, values: Tensor, picks: Picks) -> Tensor:
        del w_dec
        ctx.save_for_backward(values)
        ctx.picks = picks
        return out.view_as(out)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (values,) = ctx.saved_tensors
        return gradient, _sums_by_feature(gradient, values, ctx.picks), None, None


def _sums_by_feature(table: Tensor, weights: Tensor, picks: Picks) -> Tensor:
    """[d_sae, d]: for each feature, the rows of table [n, d] it was picked in, times `weights` [m], summed."""
    weights = weights.to(table.dtype)
    if _by_products(table):
        return picks.dense(weights).t() @ table
    order, rows, starts = picks.by_feature
    return F.embedding_bag(rows, table, starts, mode="sum", per_sample_weights=weights[order])


def _by_products(tensor: Tensor) -> bool:
    """Whether dense products are the faster way where `tensor` lies."""
    return tensor.is_cuda


def _starts(owners: Tensor, n: int) -> Tensor:
    counts = torch.bincount(owners, minlength=n)
    return counts.cumsum(0) - counts
