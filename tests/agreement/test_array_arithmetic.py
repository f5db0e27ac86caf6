"""The PE's arithmetic in the array oracle against exact rational numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tests.oracles.pe_arithmetic import Arithmetic
from tests.oracles.pe_cases import operands

FLOAT = Arithmetic(integer=False)


def nearest_float32(exact: Fraction) -> np.float32:
    """``exact`` (not zero) rounded to nearest even, with gradual underflow and overflow to infinity."""
    exponent = -149  # of the unit in the last place: of a subnormal, or of the 24 bits of a normal number
    while abs(exact) >= Fraction(2) ** (exponent + 24):
        exponent += 1
    units = round(exact / Fraction(2) ** exponent)  # Python rounds halves to even
    size = abs(units) * Fraction(2) ** exponent
    magnitude = np.inf if size >= Fraction(2) ** 128 else float(size)
    return np.float32(np.copysign(magnitude, 1.0 if exact > 0 else -1.0))


def test_fma_rounds_the_exact_sum_once() -> None:
    rng = np.random.default_rng(11)
    n = 3000
    a, b = operands(rng, FLOAT, (1, n))[0], operands(rng, FLOAT, (1, n))[0]
    # Addends near the product's size, so that sums cancel and round, and near half a unit of it, where ties
    # are.
    with np.errstate(all="ignore"):
        scale = np.ldexp(1 + rng.random(n), rng.integers(-30, 30, n)) * rng.choice([-1, 1], n)
        s = (a * b * scale.astype(np.float32)).astype(np.float32)
    s = np.where(rng.random(n) < 0.2, operands(rng, FLOAT, (1, n))[0], s)
    finite = np.isfinite(a) & np.isfinite(b) & np.isfinite(s)
    got = FLOAT.fma(a, b, s)
    checked = 0
    for i in np.flatnonzero(finite):
        exact = Fraction(float(a[i])) * Fraction(float(b[i])) + Fraction(float(s[i]))
        if exact:
            assert got[i].view(np.uint32) == nearest_float32(exact).view(np.uint32), (a[i], b[i], s[i])
            checked += 1
    assert checked > n // 2


def test_zeros_infinities_and_nan() -> None:
    inf, nan = np.inf, np.nan
    rows = [
        # a, b, s, bits of the result
        (-1.0, 0.0, 0.0, 0x00000000),
        (-1.0, 0.0, -0.0, 0x80000000),
        (2.0**-100, -(2.0**-100), -0.0, 0x80000000),  # the product underflows, the sum keeps its sign
        (1.0, -1.0, 1.0, 0x00000000),
        (inf, 0.0, 1.0, 0x7FC00000),
        (inf, 1.0, -inf, 0x7FC00000),
        (-nan, 1.0, 1.0, 0x7FC00000),
        (2.0**127, 2.0, -(2.0**127), 0x7F000000),  # the product alone would overflow
        (2.0**127, 2.0, 0.0, 0x7F800000),
    ]
    a, b, s = (np.array([row[i] for row in rows], dtype=np.float32) for i in range(3))
    assert FLOAT.bits(FLOAT.fma(a, b, s)).tolist() == [row[3] for row in rows]


def test_integers_wrap() -> None:
    a, b = np.array([-128], dtype=np.int32), np.array([-128], dtype=np.int32)
    integer = Arithmetic(integer=True)
    assert integer.fma(a, b, np.array([2**31 - 1], dtype=np.int32)) == -(2**31) + 2**14 - 1
