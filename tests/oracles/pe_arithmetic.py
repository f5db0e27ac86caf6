"""The arithmetic of one PE and of the accumulators' adder for the array oracle, from ``docs/arithmetic.md``.

Bfloat16 operands are held as float32 arrays of bfloat16 values, int8 operands as int32 arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]

CANONICAL_NAN = np.uint32(0x7FC00000)


@dataclass(frozen=True)
class Arithmetic:
    """What a PE computes: int8 x int8 + int32, wrapping, or bfloat16 x bfloat16 + float32."""

    integer: bool

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of every register that holds an operand or a sum."""
        return np.dtype(np.int32 if self.integer else np.float32)

    def fma(self, a: Array, b: Array, s: Array) -> Array:
        """``a * b + s`` element by element, rounded once (why float64 will do: ``docs/arithmetic.md``)."""
        if self.integer:
            return a * b + s  # NumPy's int32 arrays wrap
        with np.errstate(all="ignore"):
            return _canonical((a.astype(np.float64) * b.astype(np.float64) + s).astype(np.float32))

    def add(self, accumulated: Array, s: Array) -> Array:
        """The accumulators' adder: one rounding."""
        if self.integer:
            return accumulated + s
        with np.errstate(all="ignore"):
            return _canonical(accumulated + s)

    def bits(self, values: Array) -> npt.NDArray[np.uint32]:
        """The values as they are stored, for comparison to the bit."""
        return np.ascontiguousarray(values, dtype=self.dtype).view(np.uint32)


def _canonical(values: Array) -> Array:
    return np.where(np.isnan(values), CANONICAL_NAN.view(np.float32), values)


def scalar_gemm(arithmetic: Arithmetic, a: Array, b: Array, tile_rows: int | None) -> Array:
    """``C[m,n] = A[m,k] B[k,n]`` as a loop over single elements, in the stated order.

    ``tile_rows`` is the height of a K-tile (ws, is: the array's rows); None is one chain over all of k (os).
    """
    m_size, k_size = a.shape
    n_size = b.shape[1]
    tile = tile_rows or k_size
    out = np.zeros((m_size, n_size), arithmetic.dtype)
    one = _integer_chain if arithmetic.integer else _float_chain
    left, right = a.tolist(), b.T.tolist()  # Python numbers: float64 holds every bfloat16 value exactly
    with np.errstate(all="ignore"):
        for m in range(m_size):
            for n in range(n_size):
                out[m, n] = one(left[m], right[n], tile)
    return out


def _float_chain(row: list[float], col: list[float], tile: int) -> np.float32:
    accumulated = np.float32(0)
    for first in range(0, len(row), tile):
        s = np.float32(0)
        for k in range(first, min(first + tile, len(row))):
            s = np.float32(row[k] * col[k] + float(s))
        # The first tile overwrites the accumulator: adding it to +0 would turn a -0 into +0.
        accumulated = s if first == 0 else np.float32(accumulated + s)
    return CANONICAL_NAN.view(np.float32) if np.isnan(accumulated) else accumulated


def _integer_chain(row: list[int], col: list[int], tile: int) -> int:
    total = sum(x * y for x, y in zip(row, col, strict=True))
    return (total + 2**31) % 2**32 - 2**31
