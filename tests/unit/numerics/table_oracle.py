"""exp, log and tanh by the steps of ``docs/arithmetic.md``, each step one exact-fraction operation."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from tests.unit.numerics.oracle import (
    INFINITY,
    NAN,
    SIGN,
    absolute,
    add,
    divide,
    is_infinite,
    is_nan,
    is_zero,
    less,
    multiply,
    rounded,
    subtract,
    value,
)

_FILE = Path(__file__).parents[3] / "simulator" / "numerics" / "tables.npz"
with np.load(_FILE) as _loaded:
    TABLES = {name: _loaded[name].view(np.uint32).tolist() for name in _loaded if name != "version"}


def constant(text: str) -> int:
    """The bits of a constant that is a float32 as it is written."""
    exact = Fraction(float.fromhex(text))
    bits = rounded(exact)
    assert value(bits) == exact, text
    return bits


HALF, ONE, THIRD = constant("0.8"), constant("1"), constant("0x1.555556p-2")


def integer(n: int) -> int:
    return rounded(Fraction(n))


def rint(x: int) -> int:
    big = constant("0x1.8p23")
    return subtract(add(x, big), big)


def exp(x: int) -> int:
    if is_nan(x):
        return NAN
    if less(constant("0x1.62e42ep+6"), x):
        return INFINITY
    if less(x, constant("-0x1.9fe368p+6")):
        return 0
    n = rint(multiply(x, constant("0x1.715476p+6")))
    k, j = divmod(int(value(n)), 64)
    r = subtract(subtract(x, multiply(n, constant("0x1.628p-7"))), multiply(n, constant("0x1.90bfbep-17")))
    q = multiply(r, constant("0x1.555556p-3"))
    q = add(HALF, q)
    s = multiply(r, r)
    q = multiply(s, q)
    p = add(r, q)
    t = TABLES["exp_t"][j]
    y = add(t, multiply(t, p))
    k1 = k >> 1
    y = multiply(y, rounded(Fraction(2) ** k1))
    return multiply(y, rounded(Fraction(2) ** (k - k1)))


def log(x: int) -> int:
    if is_zero(x):
        return SIGN | INFINITY
    if is_nan(x) or x & SIGN:
        return NAN
    if is_infinite(x):
        return x
    e0 = 0
    if x < 0x00800000:
        x, e0 = multiply(x, constant("0x1p24")), -24
    e, m = (x >> 23) - 127, (x & 0x7FFFFF) | ONE
    if not less(m, constant("0x1.8")):
        m, e = divide(m, integer(2)), e + 1
    big_e = integer(e + e0)
    j = int(value(rint(multiply(m, integer(128)))))
    assert 96 <= j <= 192
    f = subtract(m, divide(integer(j), integer(128)))
    r = multiply(f, TABLES["log_r"][j - 96])
    q = multiply(r, THIRD)
    q = subtract(q, HALF)
    s = multiply(r, r)
    q = multiply(s, q)
    p = add(r, q)
    high = add(multiply(big_e, constant("0x1.62e4p-1")), TABLES["log_l"][j - 96])
    low = add(multiply(big_e, constant("0x1.7f7d1cp-20")), p)
    return add(high, low)


def tanh(x: int) -> int:
    if is_nan(x):
        return NAN
    a, sign = absolute(x), x & SIGN
    if is_infinite(a) or value(a) >= Fraction(37, 4):
        return sign | ONE
    if less(a, constant("0x1p-12")):
        return x
    j = int(value(rint(multiply(a, integer(32)))))
    d = subtract(a, divide(integer(j), integer(32)))
    t, s = TABLES["tanh_t"][j], TABLES["tanh_s"][j]
    u = multiply(t, t)
    u = subtract(THIRD, u)
    u = multiply(d, u)
    u = add(t, u)
    v = multiply(d, d)
    u = multiply(v, u)
    u = subtract(d, u)
    u = multiply(s, u)
    return sign | add(t, u)
