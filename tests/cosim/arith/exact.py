"""Float32 arithmetic on exact rational numbers, rounded once: slow and obviously right."""

from __future__ import annotations

import struct
from fractions import Fraction
from math import isqrt

NAN, INFINITY = 0x7FC00000, 0x7F800000
_SMALLEST = -149  # exponent of the smallest subnormal


def is_nan(bits: int) -> bool:
    """Whether the bits are a float32 NaN."""
    return bits & 0x7FFFFFFF > INFINITY


def is_finite(bits: int) -> bool:
    """Whether the bits are a finite float32."""
    return bits & 0x7FFFFFFF < INFINITY


def sign(bits: int) -> int:
    """The sign bit."""
    return bits >> 31


def exact(bits: int) -> Fraction:
    """The value of a finite float32."""
    (value,) = struct.unpack("<f", struct.pack("<I", bits))
    return Fraction(value)


def rounded(value: Fraction, sign_of_zero: int) -> int:
    """The float32 nearest to ``value``, ties to even; an exact zero has the given sign."""
    if value == 0:
        return sign_of_zero << 31
    negative, magnitude = int(value < 0), abs(value)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    quantum = max(exponent - 23, _SMALLEST)
    units = round(magnitude / Fraction(2) ** quantum)  # Python rounds ties to even
    nearest = units * Fraction(2) ** quantum
    if nearest >= Fraction(2) ** 128:
        return negative << 31 | INFINITY
    (bits,) = struct.unpack("<I", struct.pack("<f", float(nearest)))
    return int(bits) | negative << 31


def fma(a: int, b: int, c: int) -> int:
    """a * b + c."""
    if is_nan(a) or is_nan(b) or is_nan(c):
        return NAN
    product_sign = sign(a) ^ sign(b)
    zero = exact(a) == 0 if is_finite(a) else exact(b) == 0 if is_finite(b) else False
    if not is_finite(a) or not is_finite(b):
        other = b if not is_finite(a) else a
        zero = is_finite(other) and exact(other) == 0
        if zero or (not is_finite(c) and sign(c) != product_sign):
            return NAN
        return product_sign << 31 | INFINITY
    if not is_finite(c):
        return c
    product, addend = exact(a) * exact(b), exact(c)
    both_negative = product_sign & sign(c) if product == 0 and addend == 0 else 0
    return rounded(product + addend, both_negative)


def add(a: int, b: int) -> int:
    """a + b."""
    return fma(a, 0x3F800000, b)


def multiply(a: int, b: int) -> int:
    """a * b."""
    return fma(a, b, (sign(a) ^ sign(b)) << 31)


def divide(a: int, b: int) -> int:
    """a / b."""
    result_sign = (sign(a) ^ sign(b)) << 31
    if is_nan(a) or is_nan(b) or (not is_finite(a) and not is_finite(b)):
        return NAN
    if not is_finite(a):
        return result_sign | INFINITY
    if not is_finite(b):
        return result_sign
    if exact(b) == 0:
        return NAN if exact(a) == 0 else result_sign | INFINITY
    return rounded(exact(a) / exact(b), result_sign >> 31)


def sqrt(a: int) -> int:
    """The square root of a."""
    if is_nan(a):
        return NAN
    if a & 0x7FFFFFFF == 0:
        return a
    if sign(a):
        return NAN
    if not is_finite(a):
        return a
    scaled = exact(a) * Fraction(4) ** 200  # an integer with a long root
    assert scaled.denominator == 1
    root = isqrt(scaled.numerator)
    value = Fraction(root)
    if root * root != scaled.numerator:
        value += Fraction(1, 2)  # strictly between two integers, far below a unit in the last place
    return rounded(value / Fraction(2) ** 200, 0)


def to_bfloat16(a: int) -> int:
    """Rounded to bfloat16."""
    if is_nan(a):
        return NAN >> 16
    if not is_finite(a):
        return a >> 16
    return round(Fraction(a, 0x10000))  # the same spacing on both sides, overflow carries into infinity


def from_int32(a: int) -> int:
    """The float32 nearest to an int32."""
    return rounded(Fraction(a - (a >> 31 << 32)), 0)


def to_int32(a: int) -> int:
    """Towards zero, saturating; NaN gives 0."""
    if is_nan(a):
        return 0
    lowest, highest = -(2**31), 2**31 - 1
    value = int(exact(a)) if is_finite(a) else (lowest if sign(a) else highest)
    return min(max(value, lowest), highest) & 0xFFFFFFFF
