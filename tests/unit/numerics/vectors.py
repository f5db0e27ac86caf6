"""Bit patterns to test with: directed ones at every edge of float32, and random ones of all exponents."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.numerics import core

UInt32 = npt.NDArray[np.uint32]

BACKENDS = core.available()

# Zeros, subnormals and their border, ones, ties, the largest, infinities, NaNs of all kinds.
_POSITIVE = (
    *(0x00000000, 0x00000001, 0x00000002, 0x00000003, 0x007FFFFF, 0x00800000, 0x00800001),
    *(0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3F000000, 0x3FC00000, 0x40000000, 0x40490FDB),
    *(0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001),  # ties of bfloat16 and their neighbours
    *(0x33800000, 0x34000000, 0x4B000000, 0x4B800000, 0x4B7FFFFF),  # half an ulp of 1; 2^23, 2^24
    *(0x4EFFFFFF, 0x4F000000, 0x4F000001, 0x5F000000),  # the edges of int32
    *(0x1F800000, 0x20000000, 0x5F800000, 0x60000000),  # products that underflow and overflow
    *(0x7EFFFFFF, 0x7F000000, 0x7F7F7FFF, 0x7F7F8000, 0x7F7FFFFF),  # bfloat16 and float32 overflow
    *(0x7F800000, 0x7F800001, 0x7FC00000, 0x7FC12345, 0x7FFFFFFF),
)
DIRECTED: UInt32 = np.array([*_POSITIVE, *(x | 0x80000000 for x in _POSITIVE)], np.uint32)


def random_bits(count: int, seed: int) -> UInt32:
    """Uniform over all bit patterns: every exponent is as likely as every other."""
    return np.random.default_rng(seed).integers(0, 1 << 32, count, np.uint32)


def pairs(values: UInt32) -> tuple[UInt32, UInt32]:
    """Every value with every value."""
    return np.repeat(values, len(values)), np.tile(values, len(values))


def floats(bits: UInt32) -> npt.NDArray[np.float32]:
    return bits.view(np.float32)


def assert_bits(actual: npt.NDArray[np.generic], expected: npt.NDArray[np.generic]) -> None:
    """Equal types, shapes and bits."""
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    unsigned = np.dtype(f"u{actual.dtype.itemsize}")
    got, want = np.ascontiguousarray(actual).view(unsigned), np.ascontiguousarray(expected).view(unsigned)
    wrong = np.flatnonzero(got != want)
    first = [(hex(got.flat[i]), hex(want.flat[i]), int(i)) for i in wrong[:3]]
    assert wrong.size == 0, f"{wrong.size} of {got.size} differ: (got, want, index) {first}"
