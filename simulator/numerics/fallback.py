"""The kernels in NumPy alone, with the bits of the native core: slower, and independent of any
compiler.

NumPy's float32 ``+ - * / sqrt`` are correctly rounded, so each is one operation of the machine.
Where NumPy's choice differs from ``docs/arithmetic.md`` (maximum of zeros, payloads of NaNs,
conversions that do not fit) the stated value is spelled out. The caller (``kernels``) checks types
and shapes and silences warnings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from simulator.numerics import table_unit
from simulator.numerics.signatures import Array
from simulator.numerics.tables import Float32

_NAN = np.float32(np.nan)  # 0x7fc00000
_BFLOAT16_NAN = np.uint16(0x7FC0)
# Outputs of a product that are advanced together: their float64 copies stay in the cache.
_BLOCK = 1 << 16


def has_foreign_nan(x: Array) -> bool:
    """Whether ``x`` has a NaN other than the canonical one; types without a NaN have none."""
    if x.dtype == np.float32:
        bits = np.atleast_1d(x).view(np.uint32)
        return bool((np.isnan(x) & (bits != np.uint32(0x7FC00000)).reshape(x.shape)).any())
    if x.dtype == np.uint16:
        return bool((((x & np.uint16(0x7FFF)) > np.uint16(0x7F80)) & (x != _BFLOAT16_NAN)).any())
    return False


def canonical(x: Array) -> Array:
    """``x`` with its NaNs replaced by the canonical one; types without a NaN are left alone."""
    if x.dtype == np.float32:
        return np.where(np.isnan(x), _NAN, x)
    if x.dtype == np.uint16:
        return np.where((x & np.uint16(0x7FFF)) > np.uint16(0x7F80), _BFLOAT16_NAN, x)
    return x


def _sign(x: Array) -> Array:
    one, zero = x.dtype.type(1), x.dtype.type(0)
    return np.where(x > 0, one, np.where(x < 0, -one, np.where(x == x, zero, x)))


def _extreme(larger: bool) -> Callable[[Array, Array], Array]:
    def choose(a: Array, b: Array) -> Array:
        if a.dtype != np.float32:
            return np.where((a > b) == larger, a, b)
        a, b = np.broadcast_arrays(a, b)
        x, y = a.view(np.uint32), b.view(np.uint32)
        # Equal operands differ at most in the sign of a zero.
        equal = ((x & y) if larger else (x | y)).view(np.float32)
        chosen = np.where(a == b, equal, np.where((a > b) == larger, a, b))
        return np.where(np.isnan(a) | np.isnan(b), _NAN, chosen)

    return choose


def _to_bfloat16(x: Array) -> Array:
    bits = x.view(np.uint32)
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    rounded = ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(x), _BFLOAT16_NAN, rounded)


def from_bfloat16(x: Array) -> Float32:
    """The float32 of the same value; NaNs canonical."""
    wide = np.left_shift(x.astype(np.uint32), 16, dtype=np.uint32)
    return canonical(wide.view(np.float32))


def _to_float32(x: Array) -> Array:
    return from_bfloat16(x) if x.dtype == np.uint16 else x.astype(np.float32)


def _to_int32(x: Array) -> Array:
    if x.dtype != np.float32:
        return x.astype(np.int32)
    wide = np.trunc(x.astype(np.float64))
    wide = np.clip(np.where(np.isnan(wide), 0.0, wide), -(2.0**31), 2.0**31 - 1)
    return wide.astype(np.int32)


_FUNCTIONS: Mapping[str, Callable[..., Array]] = {
    "copy": lambda x: x.copy(),
    "negative": np.negative,
    "absolute": np.absolute,
    "sign": _sign,
    "sqrt": np.sqrt,
    "exp": table_unit.exp,
    "log": table_unit.log,
    "tanh": table_unit.tanh,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": _extreme(True),
    "minimum": _extreme(False),
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    "where": np.where,
    "to_bfloat16": _to_bfloat16,
    "to_float32": _to_float32,
    "to_int32": _to_int32,
    "to_bool": lambda x: x != 0,
}


def elementwise(name: str, *operands: Array) -> Array:
    """One function of the vector unit; operands broadcast."""
    # Arrays of no dimension would turn into scalars, which have other rules.
    flat = [np.atleast_1d(operand) for operand in operands]
    result = canonical(_FUNCTIONS[name](*flat))
    return result.reshape(np.broadcast_shapes(*(operand.shape for operand in operands)))


def reduce(name: str, x: Array, axis: int) -> Array:
    """One axis reduced, which stays with length 1."""
    function = {"reduce_sum": "add", "reduce_max": "maximum", "reduce_min": "minimum"}[name]
    rows = np.moveaxis(x, axis, 0)
    s = rows[0]
    for row in rows[1:]:
        s = elementwise(function, s, row)
    return np.expand_dims(canonical(s).copy(), axis)


def gemm(a: npt.NDArray[np.uint16], b: npt.NDArray[np.uint16], tile: int) -> Float32:
    """``a`` (m, k) times ``b`` (k, n), k in tiles of ``tile``; NaNs canonical.

    The product of two bfloat16 is exact in float64, and its sum with a float32 is exact or far from
    a tie of float32: rounding that sum to float32 is the fused operation.
    """
    (m, k), n = a.shape, b.shape[1]
    left, right = from_bfloat16(a).astype(np.float64), from_bfloat16(b).astype(np.float64)
    result = np.zeros((m, n), np.float32)
    height = max(1, _BLOCK // max(n, 1))
    for start in range(0, m, height):
        accumulator = result[start : start + height]
        wide = np.empty(accumulator.shape, np.float64)
        for first in range(0, k, tile):
            s = np.zeros(accumulator.shape, np.float32)
            for step in range(first, min(first + tile, k)):
                np.multiply(left[start : start + height, step, None], right[step], out=wide)
                np.add(wide, s, out=wide)
                s[...] = wide
            if first:
                s = accumulator + s  # not added to the first tile: +0 would turn its -0 into +0
            accumulator[...] = s
    return np.asarray(canonical(result), np.float32)


def gemm_int8(a: npt.NDArray[np.int8], b: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """``a`` (m, k) times ``b`` (k, n) in int32, wrapping: float64 holds the unwrapped integers
    exactly."""
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return exact.astype(np.int64).astype(np.int32)
