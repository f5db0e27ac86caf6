"""The matrix unit: products of bfloat16, added into float32 by fma in the array's own order."""

import math
import os
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import numpy as np

from simulator.reference.context import Machine, machine
from simulator.reference.operands import (
    CANONICAL_NAN,
    FLOAT32,
    INT8,
    INT32,
    Array,
    Operand,
    at,
    canonical,
    common_dtype,
)
from simulator.reference.refusal import refuse

# How many partial sums advance together: enough to hide Python's cost, few enough for a cache.
_BLOCK_ELEMENTS = 1 << 16


def to_bfloat16(x: Array) -> Array:
    """float32 rounded to nearest even to bfloat16, kept as a float32 with 16 zero bits."""
    bits = np.asarray(x).view(np.uint32)
    # Carries run into the exponent, so overflow reaches infinity and subnormals need no case.
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> 16) & 1))) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), CANONICAL_NAN, np.asarray(rounded).view(np.float32))


def fma_chains(a: Array, b: Array) -> Array:
    """For each tile, s = +0, then s = fma(a[k], b[k], s) for k ascending.

    The product of two bfloat16 values has 16 bits and is exact in float64. Its sum with a float32
    is exact too, or else lies far from a float32 tie: rounding twice gives what rounding once does.
    Where products are exact in float32, so that the sum alone rounds, a and b may be float32.

    Shapes: a [tiles, k, m], b [tiles, k, n] -> float32 [tiles, m, n].
    """
    s = np.zeros((a.shape[0], a.shape[2], b.shape[2]), np.float32)
    products = np.empty(s.shape, np.result_type(a, b))
    for k in range(a.shape[1]):
        np.multiply(a[:, k, :, None], b[:, k, None, :], out=products)
        np.add(products, s, out=s, casting="same_kind")
    return s


def exact_type(a: Array, b: Array) -> type[np.floating]:
    """float32 if no product of bfloat16 elements of a and b leaves its normal range, else float64."""
    low = high = 1.0
    for x in (a, b):
        magnitudes = np.abs(x[x != 0.0])
        if not np.isfinite(magnitudes).all():
            return np.float64
        low *= float(magnitudes.min(initial=1.0))
        high *= float(magnitudes.max(initial=1.0))
    return np.float32 if low >= 2.0**-126 and high < 2.0**128 else np.float64


def matmul_bfloat16(a: Array, b: Array, on: Machine) -> Array:
    """C = A B for float32 operands, which are rounded to bfloat16 first.

    Shapes: a [m, k], b [k, n] -> [m, n].
    """
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    tile = k if on.dataflow == "os" else min(on.rows, k)
    if k == 0:
        return np.zeros((m, n), np.float32)
    full = k // tile
    whole = full * tile
    rounded_a, rounded_b = to_bfloat16(a), to_bfloat16(b)
    wide = exact_type(rounded_a, rounded_b)
    wide_a, wide_b = rounded_a.T.astype(wide), rounded_b.astype(wide)
    result = np.empty((m, n), np.float32)
    step = max(1, _BLOCK_ELEMENTS // max(1, full * n))

    def compute(low: int) -> None:
        block = wide_a[:, low : low + step]
        tiles_a = block[:whole].reshape(full, tile, block.shape[1])
        sums = list(fma_chains(tiles_a, wide_b[:whole].reshape(full, tile, n)))
        if whole < k:  # a short tile runs apart: padding it with zeros would turn -0 into +0
            sums += list(fma_chains(block[None, whole:], wide_b[None, whole:]))
        total = sums[0]
        for later in sums[1:]:
            total = total + later
        result[low : low + step] = total

    if step >= m:
        compute(0)
    else:  # rows of C depend on nothing but themselves, and NumPy lets other threads run while it computes
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            for done in [threads.submit(copy_context().run, compute, low) for low in range(0, m, step)]:
                done.result()
    return canonical(result)


def matmul_int8(a: Array, b: Array) -> Array:
    """C = A B for int8 operands in wrapping int32. Shapes: a [m, k], b [k, n] -> [m, n]."""
    return np.asarray(np.matmul(a.astype(np.int32), b.astype(np.int32)))


def matmul(a: Operand, b: Operand, dtype: np.dtype[np.generic] | None = None) -> Array:
    """``np.matmul`` up to 2-D, and N-D @ 1-D or 2-D flattened.

    Raises:
        CaptureError: other shapes or types.
        ValueError: the inner dimensions differ, as in NumPy.
    """
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or 0 in (a.ndim, b.ndim):
        refuse("matmul of a number; write *")
    if b.ndim > 2:
        refuse(f"matmul with a {b.ndim}-D right operand; the machine multiplies N-D @ 2-D")
    if a.shape[-1] != b.shape[0]:
        raise ValueError(f"matmul: {a.shape} @ {b.shape}: {a.shape[-1]} is not {b.shape[0]}")
    left = a.reshape(math.prod(a.shape[:-1]), a.shape[-1])
    right = b[:, None] if b.ndim == 1 else b
    product = _matmul_2d(left, right, dtype)
    return product.reshape(a.shape[:-1] + b.shape[1:])


def _matmul_2d(a: Array, b: Array, dtype: np.dtype[np.generic] | None) -> Array:
    common = common_dtype(a, b)
    if dtype == FLOAT32 or (common == FLOAT32 and dtype is None):
        return matmul_bfloat16(at(a, FLOAT32), at(b, FLOAT32), machine())
    if common == INT8 and dtype == INT32:
        return matmul_int8(at(a, INT8), at(b, INT8))
    if common == INT8 and dtype is None:
        refuse("int8 @ int8 wraps in int8; write np.matmul(a, b, dtype=np.int32)")
    refuse(f"matmul of {a.dtype} and {b.dtype}{'' if dtype is None else f' as {dtype}'}")
