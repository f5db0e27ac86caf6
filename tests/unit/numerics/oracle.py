"""Float32 arithmetic by exact fractions: slow, obviously right, and without any floating point.

A float32 is the Python integer of its 32 bits. Written from ``docs/arithmetic.md``; it shares nothing
with the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

NAN, INFINITY, SIGN = 0x7FC00000, 0x7F800000, 0x80000000


def is_nan(x: int) -> bool:
    return x & 0x7FFFFFFF > INFINITY


def is_infinite(x: int) -> bool:
    return x & 0x7FFFFFFF == INFINITY


def is_zero(x: int) -> bool:
    return x & 0x7FFFFFFF == 0


def value(x: int) -> Fraction:
    """The number that finite bits stand for."""
    exponent, significand = (x >> 23) & 0xFF, x & 0x7FFFFF
    if exponent:
        significand += 1 << 23
    magnitude = Fraction(significand) * Fraction(2) ** (max(exponent, 1) - 150)
    return -magnitude if x & SIGN else magnitude


def rounded(exact: Fraction, zero: int = 0) -> int:
    """The nearest float32, ties to even; an exact zero is ``zero`` (+0 or -0)."""
    if exact == 0:
        return zero
    sign, magnitude = (SIGN if exact < 0 else 0), abs(exact)
    # 2^exponent <= magnitude < 2^(exponent + 1)
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    if magnitude < Fraction(2) ** exponent:
        exponent -= 1
    unit = max(exponent, -126) - 23
    steps = round(magnitude / Fraction(2) ** unit)  # Python rounds half to even
    # A significand that rounds up to the next power of two carries into the exponent by itself.
    bits = steps if unit == -149 else steps - (1 << 23) + ((unit + 150) << 23)
    return sign | min(bits, INFINITY)


def add(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b) and a != b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return a if is_infinite(a) else b
    both_negative = a & b & SIGN
    return rounded(value(a) + value(b), zero=both_negative)


def negative(a: int) -> int:
    return NAN if is_nan(a) else a ^ SIGN


def absolute(a: int) -> int:
    return NAN if is_nan(a) else a & ~SIGN


def subtract(a: int, b: int) -> int:
    return add(a, negative(b))


def multiply(a: int, b: int) -> int:
    sign = (a ^ b) & SIGN
    if is_nan(a) or is_nan(b):
        return NAN
    if is_infinite(a) or is_infinite(b):
        return NAN if is_zero(a) or is_zero(b) else sign | INFINITY
    return rounded(value(a) * value(b), zero=sign)


def divide(a: int, b: int) -> int:
    sign = (a ^ b) & SIGN
    if is_nan(a) or is_nan(b) or (is_infinite(a) and is_infinite(b)) or (is_zero(a) and is_zero(b)):
        return NAN
    if is_infinite(a) or is_zero(b):
        return sign | INFINITY
    if is_infinite(b):
        return sign
    return rounded(value(a) / value(b), zero=sign)


def sqrt(a: int) -> int:
    if is_zero(a):
        return a
    if is_nan(a) or a & SIGN:
        return NAN
    if is_infinite(a):
        return a
    # Scaled by an even power of two to an integer with 60 more bits than needed; a remainder leaves
    # the last bit set, so that nothing looks like a tie that is none.
    scaled = value(a) * (1 << 300)
    root = math.isqrt(int(scaled))
    if root * root != scaled:
        root |= 1
    return rounded(Fraction(root, 1 << 150))


def fma(a: int, b: int, s: int) -> int:
    """The exact product plus ``s``, rounded once."""
    if is_nan(s) or is_nan(a) or is_nan(b):
        return NAN
    product_sign = (a ^ b) & SIGN
    if is_infinite(a) or is_infinite(b):
        return add(multiply(a, b), s)
    if is_infinite(s):
        return s
    both_negative = product_sign & s
    exact = value(a) * value(b) + value(s)
    if exact == 0 and not (is_zero(a) or is_zero(b)):
        both_negative = 0  # an exact cancellation
    return rounded(exact, zero=both_negative)


def sign(a: int) -> int:
    if is_nan(a):
        return NAN
    return 0 if is_zero(a) else rounded(Fraction(-1 if a & SIGN else 1))


def _order(a: int) -> tuple[Fraction, int]:
    """A key that orders numbers as the machine's maximum and minimum do: -0 lies below +0."""
    if is_infinite(a):
        return Fraction(-1 if a & SIGN else 1) * (1 << 200), 0
    return value(a), 0 if a & SIGN else 1


def maximum(a: int, b: int) -> int:
    return NAN if is_nan(a) or is_nan(b) else max(a, b, key=_order)


def minimum(a: int, b: int) -> int:
    return NAN if is_nan(a) or is_nan(b) else min(a, b, key=_order)


def less(a: int, b: int) -> bool:
    return not (is_nan(a) or is_nan(b)) and _order(a)[0] < _order(b)[0]


def equal(a: int, b: int) -> bool:
    return not (is_nan(a) or is_nan(b)) and _order(a)[0] == _order(b)[0]


def to_bfloat16(a: int) -> int:
    if is_nan(a):
        return NAN >> 16
    if is_infinite(a):
        return a >> 16
    # Steps of the upper half; a carry runs into the exponent and, at the top, gives infinity.
    steps = round(Fraction(a & ~SIGN, 1 << 16))
    return (a & SIGN) >> 16 | steps


def to_int32(a: int) -> int:
    if is_nan(a):
        return 0
    if is_infinite(a):
        return -(2**31) if a & SIGN else 2**31 - 1
    return min(max(math.trunc(value(a)), -(2**31)), 2**31 - 1)


def reduce(function: str, elements: Sequence[int]) -> int:
    """``reduce_sum``, ``reduce_max`` or ``reduce_min`` of one axis."""
    combine = {"reduce_sum": add, "reduce_max": maximum, "reduce_min": minimum}[function]
    s = elements[0]
    for element in elements[1:]:
        s = combine(s, element)
    return NAN if is_nan(s) else s


def dot(a: Sequence[int], b: Sequence[int], tile: int | None) -> int:
    """One output of a product of bfloat16 operands; ``tile`` None is one chain over all k."""
    k, tile = len(a), tile or len(a)
    accumulator = None
    for first in range(0, k, tile):
        s = 0
        for left, right in zip(a[first : first + tile], b[first : first + tile], strict=True):
            s = fma(left << 16, right << 16, s)
        accumulator = s if accumulator is None else add(accumulator, s)
    assert accumulator is not None
    return accumulator
