"""Attention of one new token a row to what its row wrote and to a prefix that all rows share.

The prefix is read once for all rows: as far as it is concerned they are so many queries of one text (Hydragen,
Juravsky et al. 2024, arXiv:2402.05099). Its scores and those of what each row wrote itself go into one softmax.
"""

from __future__ import annotations

import torch
from torch import Tensor

Held = tuple[Tensor, Tensor]


def attend(query: Tensor, prefix: Held | None, own: Held, scale: float, softcap: float | None = None) -> Tensor:
    """[rows, n_heads * d_head] of `query` [rows, n_heads, d_head], with position in it.

    `prefix`: keys and values [n_kv_heads, n, d_head]; `own`: [rows * n_kv_heads, m, d_head]. Scores are
    multiplied by `scale`, then bent by `softcap` * tanh(score / softcap) where there is one.
    """
    rows, n_heads, width = query.shape
    n_kv = own[0].shape[0] // rows
    each = n_heads // n_kv
    scores = _scores(query.reshape(rows * n_kv, each, width), own[0], scale)
    if prefix is None:
        return torch.bmm(_shares(scores, softcap), own[1]).reshape(rows, n_heads * width)
    n = prefix[0].shape[1]
    # [n_kv_heads, rows * each, ...] is all rows' queries of one head, [rows * n_kv_heads, each, ...] each row's own.
    together = query.view(rows, n_kv, each, width).transpose(0, 1).reshape(n_kv, rows * each, width)
    shared = _scores(together, prefix[0], scale).view(n_kv, rows, each, n).transpose(0, 1)
    shares = _shares(torch.cat([shared, scores.view(rows, n_kv, each, -1)], dim=-1), softcap)
    of_prefix = shares[..., :n].transpose(0, 1).reshape(n_kv, rows * each, n)
    found = torch.bmm(of_prefix, prefix[1]).view(n_kv, rows, each, width).transpose(0, 1)
    of_own = shares[..., n:].reshape(rows * n_kv, each, -1)
    return torch.add(found, torch.bmm(of_own, own[1]).view(found.shape)).reshape(rows, n_heads * width)


def _scores(query: Tensor, keys: Tensor, scale: float) -> Tensor:
    scores = torch.bmm(query, keys.transpose(1, 2))
    return scores if scale == 1 else scores * scale


def _shares(scores: Tensor, softcap: float | None) -> Tensor:
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if scores.dtype == torch.float32:
        return torch.softmax(scores, -1)
    return torch.softmax(scores, -1, torch.float32).to(scores.dtype)
