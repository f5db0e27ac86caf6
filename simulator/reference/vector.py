"""The vector unit's functions, element by element, on plain arrays whose NaNs are canonical.

Shapes: operands broadcast as in NumPy. Each float function rounds once, which NumPy's float32
``+ - * / sqrt`` do by IEEE 754; only where the machine says more than IEEE does this file.
"""

import numpy as np

from simulator.reference.operands import CANONICAL_NAN, FLOAT32, Array, canonical

_ONE = np.float32(1.0)
_INFINITY = np.float32(np.inf)


def copy(x: Array) -> Array:
    """The operand, in memory of its own."""
    return np.array(x)


def add(a: Array, b: Array) -> Array:
    """a + b; int32 wraps."""
    return canonical(np.add(a, b))


def subtract(a: Array, b: Array) -> Array:
    """a - b; int32 wraps."""
    return canonical(np.subtract(a, b))


def multiply(a: Array, b: Array) -> Array:
    """a * b."""
    return canonical(np.multiply(a, b))


def divide(a: Array, b: Array) -> Array:
    """a / b."""
    return canonical(np.divide(a, b))


def sqrt(x: Array) -> Array:
    """The square root; of -0 it is -0."""
    return canonical(np.sqrt(x))


def square(x: Array) -> Array:
    """x * x."""
    return multiply(x, x)


def reciprocal(x: Array) -> Array:
    """1 / x."""
    return divide(np.asarray(_ONE), x)


def negative(x: Array) -> Array:
    """The sign flipped."""
    return canonical(np.negative(x))


def absolute(x: Array) -> Array:
    """The sign cleared."""
    return canonical(np.absolute(x))


def sign(x: Array) -> Array:
    """-1, +0 or 1; NaN for NaN."""
    above = (x > 0).astype(x.dtype)
    below = (x < 0).astype(x.dtype)
    result = np.asarray(above - below)  # 0 - 0 is +0 for either zero
    if x.dtype == FLOAT32:
        return np.where(np.isnan(x), CANONICAL_NAN, result)
    return result


def maximum(a: Array, b: Array) -> Array:
    """The larger; NaN if either is; +0 of zeros with different signs."""
    larger = np.where(a > b, a, b)
    if larger.dtype != FLOAT32:
        return larger
    # The sum of two zeros is -0 only where both are.
    larger = np.where((a == 0) & (b == 0), a + b, larger)
    return np.where(np.isnan(a) | np.isnan(b), CANONICAL_NAN, larger)


def minimum(a: Array, b: Array) -> Array:
    """The smaller; NaN if either is; -0 of zeros with different signs."""
    if a.dtype != FLOAT32:
        return np.where(a < b, a, b)
    return negative(maximum(np.negative(a), np.negative(b)))


def isnan(x: Array) -> Array:
    """Whether x is not equal to itself."""
    return np.asarray(np.not_equal(x, x))


def isinf(x: Array) -> Array:
    """Whether x without its sign is equal to infinity."""
    return np.asarray(np.equal(absolute(x), _INFINITY))


def isfinite(x: Array) -> Array:
    """Whether x without its sign is less than infinity."""
    return np.asarray(np.less(absolute(x), _INFINITY))


def where(condition: Array, a: Array, b: Array) -> Array:
    """a where the condition is true, else b."""
    return np.where(condition, a, b)
