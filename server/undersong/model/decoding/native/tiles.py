"""Products of a few rows with a few rows of a matrix, held in registers.

LLVM is told which vectors to multiply: left to itself it spills them. A tile of float16 widens them as it reads, so
that a matrix costs half the memory traffic and loses nothing where float16 holds its numbers (packed.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_LANES = 8
_FLOAT, _HALF, _INT = ir.FloatType(), ir.HalfType(), ir.IntType(64)
_VECTOR = ir.VectorType(_FLOAT, _LANES)


class _Loop:
    """Builds `for k in range(first, last, step): sums = body(k, sums)`."""

    def __init__(self, builder: Any, step: int, kind: Any) -> None:
        self._builder, self._step, self._kind = builder, step, kind

    def __call__(self, first: Any, last: Any, starts: Sequence[Any], body: Callable[..., list[Any]]) -> list[Any]:
        b = self._builder
        before = b.block
        head, inside, after = (b.append_basic_block(name) for name in ("head", "inside", "after"))
        b.branch(head)
        b.position_at_end(head)
        k = b.phi(_INT)
        k.add_incoming(first, before)
        sums = [b.phi(self._kind) for _ in starts]
        for each, start in zip(sums, starts, strict=True):
            each.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", k, last), inside, after)
        b.position_at_end(inside)
        new = body(k, sums)
        k.add_incoming(b.add(k, ir.Constant(_INT, self._step)), b.block)
        for each, value in zip(sums, new, strict=True):
            each.add_incoming(value, b.block)
        b.branch(head)
        b.position_at_end(after)
        return sums


def _tile(rows: int, outs: int, stored: Any) -> Any:
    """(w, x, y, d_in, x_stride, y_stride), addresses and counts: y [rows, outs] += x [rows, d_in] @ w [outs, d_in].T

    x and y are float32, w is `stored`; strides count float32 numbers from row to row."""
    bytes_of_number = 2 if stored is _HALF else 4

    def build(context: Any, b: Any, _signature: Any, arguments: Sequence[Any]) -> Any:
        w, x, y, d_in, x_stride, y_stride = arguments

        def at(base: Any, kind: Any, offset: Any) -> Any:
            return b.gep(b.inttoptr(base, kind.as_pointer()), [offset])

        def number(value: int) -> Any:
            return ir.Constant(_INT, value)

        def widened(value: Any, kind: Any) -> Any:
            return value if stored is _FLOAT else b.fpext(value, kind)

        w_rows = [at(w, stored, b.mul(number(out), d_in)) for out in range(outs)]
        x_rows = [at(x, _FLOAT, b.mul(number(row), x_stride)) for row in range(rows)]
        cells = [(row, out) for row in range(rows) for out in range(outs)]

        def vectors(k: Any, sums: Sequence[Any]) -> list[Any]:
            kind = ir.VectorType(stored, _LANES).as_pointer()
            weights = [
                widened(b.load(b.bitcast(b.gep(row, [k]), kind), align=bytes_of_number), _VECTOR) for row in w_rows
            ]
            inputs = [b.load(b.bitcast(b.gep(row, [k]), _VECTOR.as_pointer()), align=4) for row in x_rows]
            return [
                b.call(fma, [weights[out], inputs[row], each]) for (row, out), each in zip(cells, sums, strict=True)
            ]

        def numbers(k: Any, sums: Sequence[Any]) -> list[Any]:
            weights = [widened(b.load(b.gep(row, [k])), _FLOAT) for row in w_rows]
            inputs = [b.load(b.gep(row, [k])) for row in x_rows]
            return [
                b.fadd(each, b.fmul(weights[out], inputs[row])) for (row, out), each in zip(cells, sums, strict=True)
            ]

        fma = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{_LANES}f32"
        )
        total = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR]), f"llvm.vector.reduce.fadd.v{_LANES}f32"
        )
        whole = b.and_(d_in, number(-_LANES))
        zeros = [ir.Constant(_VECTOR, [0.0] * _LANES)] * len(cells)
        sums = _Loop(b, _LANES, _VECTOR)(number(0), whole, zeros, vectors)
        # In any order: -0.0 adds nothing.
        totals = [b.call(total, [ir.Constant(_FLOAT, -0.0), each], fastmath=("reassoc",)) for each in sums]
        totals = _Loop(b, 1, _FLOAT)(whole, d_in, totals, numbers)
        for (row, out), each in zip(cells, totals, strict=True):
            place = at(y, _FLOAT, b.add(b.mul(number(row), y_stride), number(out)))
            b.store(b.fadd(b.load(place), each), place)
        return context.get_dummy_value()

    @intrinsic
    def tile(typing: Any, w: Any, x: Any, y: Any, d_in: Any, x_stride: Any, y_stride: Any) -> Any:
        return types.void(*[types.int64] * 6), build

    return tile


half_1x8, half_1x1, half_2x4, half_2x1, half_4x3, half_4x1 = (
    _tile(rows, outs, _HALF) for rows, outs in ((1, 8), (1, 1), (2, 4), (2, 1), (4, 3), (4, 1))
)
float_1x8, float_1x1 = (_tile(1, outs, _FLOAT) for outs in (8, 1))


def _gather(vectors: int) -> Any:
    """(shares, values, out, n, width), addresses and counts: so many vectors of `out` [width] += shares [n] @ their
    columns of values [n, width], all float32."""

    def build(context: Any, b: Any, _signature: Any, arguments: Sequence[Any]) -> Any:
        shares, values, out, n, width = arguments
        shares = b.inttoptr(shares, _FLOAT.as_pointer())
        columns = [
            b.gep(b.inttoptr(base, _FLOAT.as_pointer()), [ir.Constant(_INT, _LANES * vector)])
            for base in (values, out)
            for vector in range(vectors)
        ]
        columns, places = columns[:vectors], columns[vectors:]
        fma = cgutils.get_or_insert_function(
            b.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{_LANES}f32"
        )

        def loaded(place: Any) -> Any:
            return b.load(b.bitcast(place, _VECTOR.as_pointer()), align=4)

        def added(i: Any, sums: Sequence[Any]) -> list[Any]:
            first = b.insert_element(
                ir.Constant(_VECTOR, ir.Undefined), b.load(b.gep(shares, [i])), ir.Constant(ir.IntType(32), 0)
            )
            share = b.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES))
            row = b.mul(i, width)
            return [
                b.call(fma, [share, loaded(b.gep(column, [row])), each])
                for column, each in zip(columns, sums, strict=True)
            ]

        sums = _Loop(b, 1, _VECTOR)(ir.Constant(_INT, 0), n, [loaded(place) for place in places], added)
        for place, each in zip(places, sums, strict=True):
            b.store(each, b.bitcast(place, _VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    @intrinsic
    def gather(typing: Any, shares: Any, values: Any, out: Any, n: Any, width: Any) -> Any:
        return types.void(*[types.int64] * 5), build

    return gather


gather_4, gather_1 = _gather(4), _gather(1)


@intrinsic
def float_of(typing: Any, bits: Any) -> Any:
    """The float32 of these bits (int32)."""
    return types.float32(types.int32), lambda context, b, signature, arguments: b.bitcast(arguments[0], _FLOAT)


def _pointer(kind: Any) -> Any:
    @intrinsic
    def pointer(typing: Any, address: Any) -> Any:
        to = types.CPointer(kind)
        return to(types.int64), lambda context, b, signature, arguments: b.inttoptr(
            arguments[0], context.get_value_type(to)
        )

    return pointer


floats_at, ints_at = _pointer(types.float32), _pointer(types.int64)
"""An address as what numba.carray takes."""
