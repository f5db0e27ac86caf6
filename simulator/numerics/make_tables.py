"""Generates ``tables.npz``, the tables of the exp, log and tanh unit (version 1, ``docs/arithmetic.md``).

Every entry is computed with 60 decimal digits and rounded to float32 once, through an exact fraction. Run as
``python -m simulator.numerics.make_tables``; a test checks that the shipped file is what this prints.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

TABLES_FILE = Path(__file__).with_name("tables.npz")
VERSION = 1
_DIGITS = 60


def _to_float32(value: Decimal) -> np.float32:
    """The float32 nearest to ``value`` (a normal number or zero), ties to even, in one rounding."""
    exact = Fraction(value)
    if exact == 0:
        return np.float32(0.0)
    exponent = 0
    magnitude = abs(exact)
    while magnitude >= 2:
        magnitude, exponent = magnitude / 2, exponent + 1
    while magnitude < 1:
        magnitude, exponent = magnitude * 2, exponent - 1
    significand = round(magnitude * 2**23)  # Python rounds a Fraction's half to even
    signed = significand if exact > 0 else -significand
    return np.float32(np.ldexp(float(signed), exponent - 23))


def _tanh(x: Decimal) -> Decimal:
    grown = (2 * x).exp()
    return (grown - 1) / (grown + 1)


def make_tables() -> dict[str, npt.NDArray[np.float32]]:
    """All tables by name; the indices are those of ``docs/arithmetic.md``."""

    def table(entries: range, function: Callable[[int], Decimal]) -> npt.NDArray[np.float32]:
        return np.array([_to_float32(function(index)) for index in entries], dtype=np.float32)

    with localcontext() as context:
        context.prec = _DIGITS
        return {
            "exp_t": table(range(64), lambda j: (Decimal(j) / 64 * Decimal(2).ln()).exp()),
            "log_r": table(range(97), lambda i: Decimal(128) / (i + 96)),
            "log_l": table(range(97), lambda i: (Decimal(i + 96) / 128).ln()),
            "tanh_t": table(range(297), lambda j: _tanh(Decimal(j) / 32)),
            "tanh_s": table(range(297), lambda j: 1 - _tanh(Decimal(j) / 32) ** 2),
        }


if __name__ == "__main__":
    arrays: dict[str, Any] = {"version": np.array(VERSION), **make_tables()}
    np.savez(TABLES_FILE, **arrays)
    print(f"wrote {TABLES_FILE.name}: version {VERSION}")
