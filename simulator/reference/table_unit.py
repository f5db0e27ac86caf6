"""exp, log and tanh of the table unit, version 1, step by step as in ``docs/arithmetic.md``.

Every line is one float32 operation per element, each rounded. Shapes: the result has the operand's.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from simulator.reference.operands import CANONICAL_NAN, Array

_VERSION = 1
_FILE = Path(__file__).parent.parent / "numerics" / "tables.npz"


def _hex(text: str) -> np.float32:
    return np.float32(float.fromhex(text))


_HALF = np.float32(0.5)
_RINT = _hex("0x1.8p23")
_THIRD = _hex("0x1.555556p-2")
_SIXTH = _hex("0x1.555556p-3")

_EXP_HIGHEST = _hex("0x1.62e42ep+6")
_EXP_LOWEST = _hex("-0x1.9fe368p+6")
_EXP_64_OVER_LN2 = _hex("0x1.715476p+6")
_EXP_LN2_HIGH = _hex("0x1.628p-7")
_EXP_LN2_LOW = _hex("0x1.90bfbep-17")

_LOG_SMALLEST_NORMAL = _hex("0x1p-126")
_LOG_SCALE = _hex("0x1p24")
_LOG_LN2_HIGH = _hex("0x1.62e4p-1")
_LOG_LN2_LOW = _hex("0x1.7f7d1cp-20")

_TANH_ONE_FROM = np.float32(9.25)
_TANH_LINEAR_BELOW = _hex("0x1p-12")


@lru_cache(maxsize=1)
def tables() -> dict[str, Array]:
    """The tables as float32 arrays, by name.

    Raises:
        RuntimeError: the file on disk is of another version than this code.
    """
    with np.load(_FILE) as file:
        if int(file["version"]) != _VERSION:
            raise RuntimeError(f"{_FILE}: version {file['version']}, expected {_VERSION}")
        return {name: file[name] for name in ("exp_t", "log_r", "log_l", "tanh_t", "tanh_s")}


def _rint(x: Array) -> Array:
    return (x + _RINT) - _RINT


def exp(x: Array) -> Array:
    """e to the x."""
    above, below = x > _EXP_HIGHEST, x < _EXP_LOWEST
    v = np.where(above | below | np.isnan(x), np.float32(0), x)
    n = _rint(v * _EXP_64_OVER_LN2)
    whole = n.astype(np.int32)
    j, k = whole & 63, whole >> 6
    r = (v - n * _EXP_LN2_HIGH) - n * _EXP_LN2_LOW
    q = r * _SIXTH
    q = _HALF + q
    s = r * r
    q = s * q
    p = r + q
    t = tables()["exp_t"][j]
    y = t + t * p
    k1 = k >> 1
    y = y * np.ldexp(np.float32(1), k1)
    y = y * np.ldexp(np.float32(1), k - k1)
    y = np.where(above, np.float32(np.inf), np.where(below, np.float32(0), y))
    return np.where(np.isnan(x), CANONICAL_NAN, y)


def log(x: Array) -> Array:
    """The natural logarithm."""
    regular = (x > 0) & (x < np.inf)
    v = np.where(regular, x, np.float32(1))
    subnormal = v < _LOG_SMALLEST_NORMAL
    v = np.asarray(np.where(subnormal, v * _LOG_SCALE, v))
    bits = v.view(np.int32)
    exponent = np.asarray(bits >> 23) - 127
    m = np.asarray((bits & 0x007FFFFF) | 0x3F800000).view(np.float32)
    high = m >= np.float32(1.5)
    m = np.where(high, m * _HALF, m)
    e = (exponent + high - np.where(subnormal, 24, 0)).astype(np.float32)
    j = _rint(m * np.float32(128))
    f = m - j / np.float32(128)
    index = j.astype(np.int32) - 96
    r = f * tables()["log_r"][index]
    q = r * _THIRD
    q = q - _HALF
    s = r * r
    q = s * q
    p = r + q
    y = (e * _LOG_LN2_HIGH + tables()["log_l"][index]) + (e * _LOG_LN2_LOW + p)
    y = np.where(x == 0, np.float32(-np.inf), np.where(x == np.inf, np.float32(np.inf), y))
    return np.where(np.isnan(x) | (x < 0), CANONICAL_NAN, y)


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    a = np.abs(x)
    one, linear = a >= _TANH_ONE_FROM, a < _TANH_LINEAR_BELOW
    v = np.where(one | np.isnan(x), np.float32(0), a)
    j = _rint(v * np.float32(32))
    d = v - j / np.float32(32)
    index = j.astype(np.int32)
    t, s = tables()["tanh_t"][index], tables()["tanh_s"][index]
    u = t * t
    u = _THIRD - u
    u = d * u
    u = t + u
    w = d * d
    u = w * u
    u = d - u
    u = s * u
    y = t + u
    y = np.where(one, np.float32(1), np.where(linear, a, y))
    return np.where(np.isnan(x), CANONICAL_NAN, np.copysign(y, x))
