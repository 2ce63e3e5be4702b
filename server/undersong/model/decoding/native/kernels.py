"""One token a row through a network's blocks, compiled: no Python, no calls of torch between its operations.

A block is ten pieces, in this order (`PIECES` a block): norm; product; attention; product; onto the stream; norm;
product; activation; product; onto the stream. `run` computes any stretch of them, so that steering can act between,
and so that torch can compute the products of larger models, which take all cores (decoder.py); it then skips them.

Importing this module compiles it, once a machine and version: numba keeps what it made. All numbers are float32, and
matrices float16; `small` holds all norms and biases behind one another, and tables.py says which numbers stand where.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray, config, njit  # pyright: ignore[reportPrivateImportUsage]

from undersong.model.decoding.native import tables as t
from undersong.model.decoding.native.tiles import (
    float_1x1,
    float_1x8,
    float_of,
    floats_at,
    gather_1,
    gather_4,
    half_1x1,
    half_1x8,
    half_2x1,
    half_2x4,
    half_4x1,
    half_4x3,
    ints_at,
)

PIECES = 10
_AT_ONCE = 1 << 16
"""Numbers of the input that a product passes over for each few outputs: they stay in the cache."""

_Float = np.float32
_LOOSELY: dict[str, Any] = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}
"""What LLVM may do to sums and products; a division by 0 is not looked for, which would keep loops from being vectors.
Not that all numbers may be taken for finite: a model's NaN must arrive where it is looked for."""
_KEPT = bool(config.CACHE_DIR)  # pyright: ignore[reportAttributeAccessIssue]
"""Whether there is a place for what is compiled (__init__.py)."""


@njit(inline="always")
def _floats(address, n):
    return carray(floats_at(address), n)


@njit(**_LOOSELY, inline="always")
def _exp(x):
    """Cephes' expf, which vectors can compute: error below 2 units in the last place."""
    x = min(max(x, _Float(-87.0)), _Float(88.0))
    e = np.floor(x * _Float(1.44269504088896341) + _Float(0.5))
    x = x - e * _Float(0.693359375) + e * _Float(2.12194440e-4)
    y = _Float(1.9875691500e-4)
    y = y * x + _Float(1.3981999507e-3)
    y = y * x + _Float(8.3334519073e-3)
    y = y * x + _Float(4.1665795894e-2)
    y = y * x + _Float(1.6666665459e-1)
    y = y * x + _Float(5.0000001201e-1)
    y = y * x * x + x + _Float(1.0)
    power = np.int32((np.int32(e) + np.int32(127)) << np.int32(23))
    return y * float_of(power)  # pyright: ignore[reportCallIssue]


@njit(**_LOOSELY, inline="always")
def _tanh(x):
    return _Float(1) - _Float(2) / (_exp(_Float(2) * x) + _Float(1))


@njit
def _add_product(w, x, y, n, m):
    """y [rows, :m] += x [rows, :n] @ w [m, n].T; w is the address of float16 numbers."""
    rows, x_stride, y_stride = x.shape[0], x.shape[1], y.shape[1]
    x_at, y_at = x.ctypes.data, y.ctypes.data
    together = max(4, _AT_ONCE // n // 4 * 4)
    for first in range(0, rows, together):
        last = min(rows, first + together)
        fours = first + (last - first) // 4 * 4
        whole = m // 3 * 3
        if fours > first:
            for o in range(0, whole, 3):
                for r in range(first, fours, 4):
                    half_4x3(
                        w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride
                    )
            for o in range(whole, m):
                for r in range(first, fours, 4):
                    half_4x1(
                        w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride
                    )
        r = fours
        if last - r >= 2:
            whole = m // 4 * 4
            for o in range(0, whole, 4):
                half_2x4(w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride)
            for o in range(whole, m):
                half_2x1(w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride)
            r += 2
        if last > r:
            whole = m // 8 * 8
            for o in range(0, whole, 8):
                half_1x8(w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride)
            for o in range(whole, m):
                half_1x1(w + 2 * o * n, x_at + 4 * r * x_stride, y_at + 4 * (r * y_stride + o), n, x_stride, y_stride)


@njit
def _filled(y, small, bias, m):
    for r in range(y.shape[0]):
        if bias < 0:
            y[r, :m] = 0
        else:
            y[r, :m] = small[bias : bias + m]


@njit(**_LOOSELY)
def _normed(x, y, small, gain, bias, is_centred, eps):
    d = x.shape[1]
    for r in range(x.shape[0]):
        a, b = x[r], y[r]
        mean = _Float(0)
        if is_centred:
            for i in range(d):
                mean += a[i]
            mean /= _Float(d)
        square = _Float(0)
        for i in range(d):
            from_mean = a[i] - mean
            square += from_mean * from_mean
        by = _Float(1) / np.sqrt(square / _Float(d) + eps)
        g = small[gain : gain + d]
        if bias < 0:
            for i in range(d):
                b[i] = (a[i] - mean) * by * g[i]
        else:
            c = small[bias : bias + d]
            for i in range(d):
                b[i] = (a[i] - mean) * by * g[i] + c[i]


@njit(**_LOOSELY)
def _head_made(head, small, gain, eps, cosines, sines):
    """A query's or a key's norm, where it has one, and its position."""
    if gain >= 0:
        square = _Float(0)
        for i in range(head.shape[0]):
            square += head[i] * head[i]
        by = _Float(1) / np.sqrt(square / _Float(head.shape[0]) + eps)
        for i in range(head.shape[0]):
            head[i] *= by * small[gain + i]
    half = cosines.shape[0]
    for i in range(half):
        first, second = head[i], head[half + i]
        head[i] = first * cosines[i] - second * sines[i]
        head[half + i] = second * cosines[i] + first * sines[i]


@njit
def _scored(query, keys, out, n, width):
    """out [n] += keys [n, width] @ query [width], addresses of float32 numbers."""
    whole = n // 8 * 8
    for i in range(0, whole, 8):
        float_1x8(keys + 4 * i * width, query, out + 4 * i, width, width, n)
    for i in range(whole, n):
        float_1x1(keys + 4 * i * width, query, out + 4 * i, width, width, n)


@njit(**_LOOSELY)
def _shared_out(scores, n, scale, softcap):
    """scores [n] become shares that add up to 1."""
    highest = _Float(-3e38)
    for i in range(n):
        score = scores[i] * scale
        if softcap > 0:
            score = softcap * _tanh(score / softcap)
        scores[i] = score
        highest = max(highest, score)
    total = _Float(0)
    for i in range(n):
        scores[i] = _exp(scores[i] - highest)
        total += scores[i]
    by = _Float(1) / total
    for i in range(n):
        scores[i] *= by


@njit(**_LOOSELY)
def _gathered(shares, values, n, out):
    """out [width] += shares [n] @ values [n, width]; shares and values are addresses."""
    width = out.shape[0]
    out_at = out.ctypes.data
    fours, whole = width // 32 * 32, width // 8 * 8
    for k in range(0, fours, 32):
        gather_4(shares, values + 4 * k, out_at + 4 * k, n, width)
    for k in range(fours, whole, 8):
        gather_1(shares, values + 4 * k, out_at + 4 * k, n, width)
    if whole < width:
        share, read = _floats(shares, n), _floats(values, n * width)
        for i in range(n):
            for k in range(whole, width):
                out[k] += share[i] * read[i * width + k]


@njit
def _attended(dims, reals, small, block, layer, rows, projected, found, cosines, sines, scores):
    heads, groups, width = dims[t.N_HEADS], dims[t.N_KV_HEADS], dims[t.D_HEAD]
    each = heads // groups
    for r in range(projected.shape[0]):
        own = projected[r]
        for h in range(heads):
            at = dims[t.QUERY] + h * dims[t.STEP]
            _head_made(own[at : at + width], small, block[t.Q_NORM], reals[t.EPS], cosines[r], sines[r])
        for g in range(groups):
            at = dims[t.KEY] + g * dims[t.STEP]
            _head_made(own[at : at + width], small, block[t.K_NORM], reals[t.EPS], cosines[r], sines[r])
    # Head by head, so that what all rows read of a prefix stays in the cache.
    for g in range(groups):
        for r in range(projected.shape[0]):
            held = carray(ints_at(rows[r, t.TABLE] + 8 * t.HELD * layer), t.HELD)
            index, shared, written = rows[r, t.INDEX], rows[r, t.SHARED], rows[r, t.WRITTEN]
            since = 0
            if block[t.WINDOW] > 0:
                since = max(0, shared + written + 1 - block[t.WINDOW])
            skipped = max(0, since - shared)
            n_shared, n_own = max(0, shared - since), written + 1 - skipped
            first = (index * groups + g) * held[t.ROOM] * width
            at = first + written * width
            key = dims[t.KEY] + g * dims[t.STEP]
            value = dims[t.VALUE] + g * dims[t.STEP]
            _floats(held[t.OWN_KEYS] + 4 * at, width)[:] = projected[r, key : key + width]
            _floats(held[t.OWN_VALUES] + 4 * at, width)[:] = projected[r, value : value + width]
            own_from = 4 * (first + skipped * width)
            shared_from = 4 * (g * held[t.STRIDE] + since * width)
            for h in range(g * each, (g + 1) * each):
                query = projected.ctypes.data + 4 * (r * projected.shape[1] + dims[t.QUERY] + h * dims[t.STEP])
                scores[: n_shared + n_own] = 0
                _scored(query, held[t.KEYS] + shared_from, scores.ctypes.data, n_shared, width)
                _scored(query, held[t.OWN_KEYS] + own_from, scores.ctypes.data + 4 * n_shared, n_own, width)
                _shared_out(scores, n_shared + n_own, reals[t.SCALE], reals[t.SOFTCAP])
                out = found[r, h * width : (h + 1) * width]
                out[:] = 0
                _gathered(scores.ctypes.data, held[t.VALUES] + shared_from, n_shared, out)
                _gathered(scores.ctypes.data + 4 * n_shared, held[t.OWN_VALUES] + own_from, n_own, out)


@njit(**_LOOSELY)
def _activated(inner, acted, kind):
    """acted [rows, m] of inner [rows, m] or, gate and up side by side, [rows, 2 m]"""
    m = acted.shape[1]
    for r in range(acted.shape[0]):
        a, b = inner[r], acted[r]
        if kind == t.SILU:
            for i in range(m):
                b[i] = a[i] / (_Float(1) + _exp(-a[i]))
        elif kind == t.GELU_TANH:
            # x / 2 (1 + tanh u) is x / (1 + e^-2u).
            for i in range(m):
                u = _Float(1.5957691216057308) * (a[i] + _Float(0.044715) * a[i] * a[i] * a[i])
                b[i] = a[i] / (_Float(1) + _exp(-u))
        elif kind == t.GELU:
            for i in range(m):
                b[i] = _Float(0.5) * a[i] * (_Float(1) + _Float(math.erf(a[i] * _Float(0.7071067811865476))))
        else:
            for i in range(m):
                b[i] = max(a[i], _Float(0))
        if inner.shape[1] > m:
            up = a[m : 2 * m]
            for i in range(m):
                b[i] *= up[i]


@njit
def _onto(hidden, made, small, norm, is_centred, eps):
    if norm >= 0:
        _normed(made, made, small, norm, -1, is_centred, eps)
    for r in range(hidden.shape[0]):
        for i in range(hidden.shape[1]):
            hidden[r, i] += made[r, i]


_MATRIX = "float32[:, ::1]"
_TABLE = "int64[:, ::1]"


@njit(
    f"void(int64[::1], float32[::1], float32[::1], {_TABLE}, {_TABLE}, {', '.join([_MATRIX] * 9)}, float32[::1],"
    " int64, int64, boolean)",
    nogil=True,
    cache=_KEPT,
)
def run(
    dims, reals, small, blocks, rows, cosines, sines, hidden, normal, second, projected, found, inner, acted,
    scores, first, last, multiplies
):  # fmt: skip
    """The pieces `first` to `last` of all blocks, counted from the first block's.

    hidden: the stream [rows, d_model], which is changed; `normal` and `second` [rows, d_model], `projected`, `found`,
    `inner` and `acted` are what stands between the pieces. What is written onto the stream is in `normal` before that.
    `multiplies`: whether products are computed; else whoever calls does that between."""
    d, eps, is_centred = dims[t.D_MODEL], reals[t.EPS], dims[t.CENTRED] == 1
    for number in range(first, last):
        layer, piece = number // PIECES, number % PIECES
        block = blocks[layer]
        if piece == 0:
            _normed(hidden, normal, small, block[t.NORM], block[t.NORM_BIAS], is_centred, eps)
            if dims[t.SIDE_BY_SIDE] == 1:
                _normed(hidden, second, small, block[t.MLP_NORM], block[t.MLP_NORM_BIAS], is_centred, eps)
        elif piece == 1 and multiplies:
            _filled(projected, small, block[t.PROJECT_BIAS], projected.shape[1])
            _add_product(block[t.PROJECT], normal, projected, d, projected.shape[1])
        elif piece == 2:
            _attended(dims, reals, small, block, layer, rows, projected, found, cosines, sines, scores)
        elif piece == 3 and multiplies:
            _filled(normal, small, block[t.OUT_BIAS], d)
            _add_product(block[t.OUT], found, normal, found.shape[1], d)
        elif piece == 4:
            _onto(hidden, normal, small, block[t.OUT_NORM], is_centred, eps)
        elif piece == 5:
            if dims[t.SIDE_BY_SIDE] == 0:
                _normed(hidden, second, small, block[t.MLP_NORM], block[t.MLP_NORM_BIAS], is_centred, eps)
        elif piece == 6 and multiplies:
            _filled(inner, small, block[t.UP_BIAS], inner.shape[1])
            _add_product(block[t.UP], second, inner, d, inner.shape[1])
        elif piece == 7:
            _activated(inner, acted, dims[t.ACTIVATION])
        elif piece == 8 and multiplies:
            _filled(normal, small, block[t.DOWN_BIAS], d)
            _add_product(block[t.DOWN], acted, normal, acted.shape[1], d)
        elif piece == 9:
            _onto(hidden, normal, small, block[t.DOWN_NORM], is_centred, eps)


@njit(f"void(int64[::1], float32[::1], float32[::1], {', '.join([_MATRIX] * 3)}, boolean)", nogil=True, cache=_KEPT)
def finish(dims, reals, small, hidden, normal, logits, multiplies):
    """logits [rows, vocab] of the stream after all blocks; without `multiplies` its norm alone, in `normal`."""
    is_centred = dims[t.CENTRED] == 1
    _normed(hidden, normal, small, dims[t.FINAL_NORM], dims[t.FINAL_NORM_BIAS], is_centred, reals[t.EPS])
    if multiplies:
        _filled(logits, small, dims[t.HEAD_BIAS], logits.shape[1])
        _add_product(dims[t.HEAD], normal, logits, normal.shape[1], logits.shape[1])
