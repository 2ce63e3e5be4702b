"""How fast memory is read: torch sums a buffer of float32 with all threads, again and again."""

from __future__ import annotations

import time

import torch

LARGE = 1 << 30
"""Bytes: no cache holds it."""
KINDS = ("sum", "product with itself", "matrix by vector")
_WIDTH = 2048


def read_speed(n_bytes: int, threads: int, seconds: float = 0.5) -> float:
    """Bytes a second, the best of some passes over a buffer of `n_bytes` in each way of KINDS.

    A buffer that the cache holds is read from there, as weights of that size are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    rows = max(1, n_bytes // 4 // _WIDTH)
    buffer = torch.ones((rows, _WIDTH))
    flat, vector = buffer.view(-1), torch.ones(_WIDTH)
    best = float("inf")
    try:
        for read in (flat.sum, lambda: flat.dot(flat), lambda: buffer.mv(vector)):
            read()
            until = time.perf_counter() + seconds / len(KINDS)
            while True:
                began = time.perf_counter()
                read()
                ended = time.perf_counter()
                best = min(best, ended - began)
                if ended > until:
                    break
    finally:
        torch.set_num_threads(before)
    return buffer.nbytes / best
