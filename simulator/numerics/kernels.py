"""The arithmetic of the machine on whole arrays, to the bit of ``docs/arithmetic.md``.

Arrays are of the storage types (bfloat16 as ``uint16``). Every function allocates its result,
which is in C order, and never writes an operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.numerics import encode, fallback
from simulator.numerics.call import Call
from simulator.numerics.core import Native, active
from simulator.numerics.library import address
from simulator.numerics.prepared import prepare_elementwise, prepare_reduce
from simulator.numerics.signatures import DATAFLOWS, STORAGE, Array, dtype_name


def canonical(x: Array) -> Array:
    """``x`` in C order with every NaN canonical; ``x`` itself where it already is so."""
    x = _contiguous(x)
    native = active()
    if native is not None and x.dtype == np.float32:
        foreign = bool(native.has_foreign_nan(x.size, address(x)))
    else:
        foreign = fallback.has_foreign_nan(x)
    return fallback.canonical(x) if foreign else x


def to_bfloat16(x: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    """float32 rounded to the nearest even bfloat16, as its upper 16 bits."""
    return elementwise("to_bfloat16", x)


def from_bfloat16(x: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
    """The float32 of the same value as a bfloat16."""
    return elementwise("to_float32", x)


def elementwise(name: str, *operands: Array, dtype: str | None = None) -> Array:
    """One function of the vector unit; operands broadcast as in NumPy.

    ``dtype``, where given, is the element type that the caller expects of the result.

    Raises:
        ProgramError: the function does not take these types, the shapes do not broadcast, or the
            result is not of ``dtype``.
    """
    dtypes = [dtype_name(operand) for operand in operands]
    kernel = prepare_elementwise(name, dtypes, [operand.shape for operand in operands])
    result = kernel(*operands)
    if dtype is not None and result.dtype != STORAGE[dtype]:
        raise ProgramError(f"{name} gives {dtype_name(result)}, not {dtype}")
    return result


def reduce(name: str, x: Array, axes: Sequence[int], keepdims: bool = False) -> Array:
    """``reduce_sum``, ``reduce_max`` or ``reduce_min`` over ``axes``, the lowest first, in order.

    Raises:
        ProgramError: no such reduction of this type, an axis that is not there, or no elements to
            reduce.
    """
    return prepare_reduce(name, dtype_name(x), x.shape, axes, keepdims)(x)


def gemm(
    a: npt.NDArray[np.uint16],
    b: npt.NDArray[np.uint16],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
    rows: int,
    dataflow: str,
) -> npt.NDArray[np.float32]:
    """``C = A B`` of bfloat16 operands in the array's accumulation order.

    ``rows`` is the height of the array, which is the K tile of the ``ws`` and ``is`` dataflows.

    Shapes:
        a: (m, k), or (k, m) with ``transpose_a``. b: (k, n), or (n, k) with ``transpose_b``.
        Result: (m, n).

    Raises:
        ProgramError: other types or shapes, an unknown dataflow, or ``rows`` below 1.
    """
    if a.dtype != np.uint16 or b.dtype != np.uint16:
        raise ProgramError(f"matmul takes bfloat16 (uint16), not {a.dtype} and {b.dtype}")
    if dataflow not in DATAFLOWS:
        raise ProgramError(f"no dataflow {dataflow!r}: {', '.join(DATAFLOWS)}")
    if rows < 1:
        raise ProgramError(f"an array of {rows} rows")
    return _multiply(a, b, transpose_a, transpose_b, None if dataflow == "os" else rows)


def gemm_int8(
    a: npt.NDArray[np.int8],
    b: npt.NDArray[np.int8],
    *,
    transpose_a: bool = False,
    transpose_b: bool = False,
) -> npt.NDArray[np.int32]:
    """``C = A B`` of int8 operands in int32, wrapping.

    Shapes:
        As for ``gemm``.

    Raises:
        ProgramError: other types or shapes.
    """
    if a.dtype != np.int8 or b.dtype != np.int8:
        raise ProgramError(f"an integer matmul takes int8, not {a.dtype} and {b.dtype}")
    return _multiply(a, b, transpose_a, transpose_b, None)


def _multiply(a: Array, b: Array, transpose_a: bool, transpose_b: bool, tile: int | None) -> Array:
    """The product of operands of one type; ``tile`` None is one chain over all k."""
    if a.ndim != 2 or b.ndim != 2:
        raise ProgramError(f"matmul takes two axes, not shapes {a.shape} and {b.shape}")
    k, m = a.shape if transpose_a else a.shape[::-1]
    n, k_of_b = b.shape if transpose_b else b.shape[::-1]
    if k != k_of_b:
        raise ProgramError(f"matmul: A is (m={m}, k={k}) and B is (k={k_of_b}, n={n})")
    integers = a.dtype == np.int8
    if m * n * k == 0:
        return np.zeros((m, n), np.int32 if integers else np.float32)
    chain, tile = tile is None, min(tile or k, k)
    native = active()
    if native is None:
        left, right = a.T if transpose_a else a, b.T if transpose_b else b
        with np.errstate(all="ignore"):
            if integers:
                return fallback.gemm_int8(left, right)
            return fallback.gemm(left, right, tile)
    # A transposed view is contiguous as it is stored.
    if a.flags.f_contiguous:
        a, transpose_a = a.T, not transpose_a
    if b.flags.f_contiguous:
        b, transpose_b = b.T, not transpose_b
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    out = np.empty((m, n), np.int32 if integers else np.float32)
    _product(native, m, n, k, transpose_a, transpose_b, 0 if chain else tile, integers)(a, b, out)
    return out


@lru_cache(maxsize=4096)
def _product(
    native: Native, m: int, n: int, k: int, transpose_a: bool, transpose_b: bool, tile: int, integers: bool
) -> Call:
    product = encode.Product(m, n, k, transpose_a, transpose_b, tile, integers)
    return Call(native, [encode.multiply(0, 1, 2, product)])


def _contiguous(x: Array) -> Array:
    """In C order without a change of shape (``np.ascontiguousarray`` gives scalars an axis)."""
    return x if x.flags.c_contiguous else np.ascontiguousarray(x)
