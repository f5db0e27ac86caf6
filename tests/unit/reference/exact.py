"""Exact rational arithmetic with one rounding at the end: slow, naive, and right by inspection."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

NAN_BITS = 0x7FC00000


def rounded(value: Fraction, precision: int = 24) -> np.float32:
    """The exact value to nearest even in float32 (precision 24) or bfloat16 (8); a zero is +0."""
    magnitude = abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    exponent -= magnitude < Fraction(2) ** exponent
    exponent = max(exponent, -126)
    unit = Fraction(2) ** (exponent - precision + 1)
    whole, rest = divmod(magnitude, unit)
    if rest * 2 > unit or (rest * 2 == unit and whole % 2 == 1):
        whole += 1
    result = whole * unit
    number = np.float32("inf") if result >= Fraction(2) ** 128 else np.float32(float(result))
    return -number if value < 0 else number


def exact(x: Any) -> Fraction:
    """The value of a finite float."""
    return Fraction(float(x))


def bfloat16(x: np.float32) -> np.float32:
    """Rounded to bfloat16; the sign of a zero is kept."""
    return np.float32(np.copysign(rounded(exact(x), 8), x))


def fma(a: np.float32, b: np.float32, s: np.float32) -> np.float32:
    """a * b + s of finite values, rounded once, with the sign of a zero by IEEE 754."""
    total = exact(a) * exact(b) + exact(s)
    if total == 0:
        product_negative = bool(np.signbit(a) != np.signbit(b))
        both_zero = exact(s) == 0
        return np.float32(-0.0 if both_zero and product_negative and np.signbit(s) else 0.0)
    return rounded(total)


def gemm(a: NDArray[Any], b: NDArray[Any], tile: int) -> NDArray[Any]:
    """C = A B, a tile of k after the other; tile = K is the output-stationary order."""
    m, depth, n = a.shape[0], a.shape[1], b.shape[1]
    c = np.zeros((m, n), np.float32)
    for i in range(m):
        for j in range(n):
            total = None
            for low in range(0, depth, tile):
                s = np.float32(0)
                for k in range(low, min(low + tile, depth)):
                    s = fma(bfloat16(a[i, k]), bfloat16(b[k, j]), s)
                total = s if total is None else fma(np.float32(1), total, s)
            c[i, j] = total if total is not None else np.float32(0)
    return c


def bits(values: Any) -> list[int]:
    """The bits of float32 values, flat."""
    array = np.asarray(values)
    assert array.dtype == np.float32
    return [int(b) for b in np.atleast_1d(array).view(np.uint32).ravel()]


def floats(*patterns: int) -> NDArray[np.float32]:
    """float32 values of given bits."""
    return np.array(patterns, np.uint32).view(np.float32)


def hard_floats(
    rng: np.random.Generator, shape: tuple[int, ...], spread: int
) -> NDArray[np.float32]:
    """Random signs and significands with exponents up to 2^spread either way, some zeros."""
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-spread, spread + 1, shape)
    signs = rng.choice([-1.0, 1.0], shape)
    chosen = np.where(rng.random(shape) < 0.05, signs * 0.0, values)
    return np.asarray(chosen, np.float32)
