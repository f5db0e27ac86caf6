"""exp, log and tanh in NumPy, step by step as ``docs/arithmetic.md`` states them (version 1).

Every step is one float32 NumPy operation, each correctly rounded; NumPy's own exp, log and tanh are
not used, because their bits change with the processor. The caller silences floating-point warnings.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.numerics.tables import Float32, tables

Int32 = npt.NDArray[np.int32]

_NAN = np.float32(np.nan)
_INF = np.float32(np.inf)
_SIGN = np.uint32(0x80000000)


def _constant(text: str) -> np.float32:
    return np.float32(float.fromhex(text))


_ROUNDING = _constant("0x1.8p23")
_THIRD = _constant("0x1.555556p-2")
_EXP_HIGH, _EXP_LOW = _constant("0x1.62e42ep+6"), _constant("-0x1.9fe368p+6")
_EXP_SCALE = _constant("0x1.715476p+6")
_EXP_C1, _EXP_C2 = _constant("0x1.628p-7"), _constant("0x1.90bfbep-17")
_SIXTH = _constant("0x1.555556p-3")
_LOG_C1, _LOG_C2 = _constant("0x1.62e4p-1"), _constant("0x1.7f7d1cp-20")
_TANH_ONE, _TANH_TINY = np.float32(9.25), _constant("0x1p-12")
_HALF, _ONE, _THREE_HALVES = np.float32(0.5), np.float32(1.0), np.float32(1.5)


def _nearest_integer(x: Float32) -> Float32:
    """Rounded to the nearest even integer by adding and subtracting 1.5 * 2^23."""
    return (x + _ROUNDING) - _ROUNDING


def _power_of_two(exponent: Int32) -> Float32:
    bits: Int32 = (exponent + np.int32(127)) << np.int32(23)
    return bits.view(np.float32)


def exp(x: Float32) -> Float32:
    """e to the power of x, at most 2 units in the last place off."""
    inside = (x >= _EXP_LOW) & (x <= _EXP_HIGH)
    v = np.where(inside, x, np.float32(0.0))
    n = _nearest_integer(v * _EXP_SCALE)
    index = n.astype(np.int32)
    k = index >> 6
    r = (v - n * _EXP_C1) - n * _EXP_C2
    q = _HALF + r * _SIXTH
    p = r + (r * r) * q
    t = tables()["exp_t"][index & 63]
    y = t + t * p
    first = k >> 1
    y = (y * _power_of_two(first)) * _power_of_two(k - first)
    outside = np.where(np.isnan(x), _NAN, np.where(x > 0, _INF, np.float32(0.0)))
    return np.where(inside, y, outside)


def log(x: Float32) -> Float32:
    """The natural logarithm of x, at most 2 units in the last place off."""
    inside = (x > 0) & (x < _INF)
    v = np.where(inside, x, _ONE)
    subnormal = v < _constant("0x1p-126")
    bits = np.where(subnormal, v * _constant("0x1p24"), v).view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - np.where(subnormal, 151, 127)
    m = ((bits & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)).view(np.float32)
    high = m >= _THREE_HALVES
    m = np.where(high, m * _HALF, m)
    e = (exponent + high).astype(np.float32)
    grid = _nearest_integer(m * np.float32(128.0))
    j = grid.astype(np.int32) - 96
    r = (m - grid * _constant("0x1p-7")) * tables()["log_r"][j]
    q = r * _THIRD - _HALF
    p = r + (r * r) * q
    y = (e * _LOG_C1 + tables()["log_l"][j]) + (e * _LOG_C2 + p)
    outside = np.where(x == 0, -_INF, np.where(x > 0, _INF, _NAN))
    return np.where(inside, y, outside)


def tanh(x: Float32) -> Float32:
    """The hyperbolic tangent of x, at most 3 units in the last place off."""
    a = np.absolute(x)
    v = np.where(a < _TANH_ONE, a, np.float32(0.0))
    grid = _nearest_integer(v * np.float32(32.0))
    j = grid.astype(np.int32)
    d = v - grid * _constant("0x1p-5")
    t, s = tables()["tanh_t"][j], tables()["tanh_s"][j]
    u = t + d * (_THIRD - t * t)
    u = d - (d * d) * u
    y = t + s * u
    y = np.where(a < _TANH_TINY, a, y)
    y = np.where(a >= _TANH_ONE, _ONE, y)
    signed = (y.view(np.uint32) | (x.view(np.uint32) & _SIGN)).view(np.float32)
    return np.where(np.isnan(x), _NAN, signed)
