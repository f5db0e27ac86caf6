"""Operands that find faults: random ones with corner values among them, and what of these was covered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Corner values as stored. A NaN or an infinity hides what is summed with it, so few of these are dealt.
_FINITE: Mapping[str, Mapping[str, int]] = {
    "int8": {"zero": 0, "one": 1, "minus one": -1, "largest": 127, "smallest": -128},
    "bfloat16": {
        "+0": 0x0000, "-0": 0x8000, "one": 0x3F80, "minus one": 0xBF80, "above one": 0x3F81,
        "smallest subnormal": 0x0001, "negative subnormal": 0x8001, "largest subnormal": 0x007F,
        "smallest normal": 0x0080, "largest": 0x7F7F, "most negative": 0xFF7F,
        "underflowing": 0x1F81, "overflowing": 0x5F81,
    },
}  # fmt: skip
_SPECIAL: Mapping[str, Mapping[str, int]] = {
    "int8": {},
    "bfloat16": {"+inf": 0x7F80, "-inf": 0xFF80, "NaN": 0x7FC0},
}
_FLOAT_RESULTS = ("+0", "-0", "subnormal", "normal", "infinity", "NaN")
_INT_RESULTS = ("zero", "positive", "negative")
_CORNERS_PER_ELEMENT = 0.2
_ELEMENTS_PER_SPECIAL = 12
_TINY = 2.0**-66, 2.0**-90  # of a row: products are subnormal, or vanish and leave a zero's sign


def corner_names(dtype: str) -> tuple[str, ...]:
    """Every corner value of an operand's type."""
    return (*_FINITE[dtype], *_SPECIAL[dtype])


class Dealer:
    """Makes operand matrices; corner values go round, so that each comes up as early as it can.

    Shapes:
        ``matrix(shape)`` gives an array of that shape of the storage type (bfloat16 as ``uint16``).
    """

    def __init__(self, dtype: str, rng: np.random.Generator) -> None:
        self._dtype, self._rng = dtype, rng
        self._decks: dict[bool, list[int]] = {True: [], False: []}

    def matrix(self, shape: tuple[int, int], *, special: bool, tiny: bool) -> Array:
        """Random values, a fifth of them corners; ``special``: infinities and NaNs too; ``tiny``: small."""
        rng = self._rng
        if self._dtype == "int8":
            values = rng.integers(-128, 128, shape).astype(np.int8)
        else:
            scale = rng.choice(_TINY, (shape[0], 1)) if tiny else 1.0
            floats = rng.standard_normal(shape) * scale
            values = (floats.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        flat = values.reshape(-1)
        places = rng.permutation(flat.size)
        for at in places[: max(1, round(flat.size * _CORNERS_PER_ELEMENT))]:
            flat[at] = self._deal(special=False)
        if special:
            count = min(len(_SPECIAL[self._dtype]), 1 + flat.size // _ELEMENTS_PER_SPECIAL)
            for at in places[flat.size - count :]:
                flat[at] = self._deal(special=True)
        return values

    def _deal(self, *, special: bool) -> int:
        deck = self._decks[special]
        if not deck:
            table = (_SPECIAL if special else _FINITE)[self._dtype]
            deck += self._rng.permutation(list(table.values())).tolist()
        return deck.pop()


@dataclass
class Coverage:
    """How often each corner value entered, and each kind of result was expected."""

    dtype: str
    operands: dict[str, Counter[str]] = field(default_factory=dict)
    results: Counter[str] = field(default_factory=Counter)

    def see(self, operand: str, values: Array) -> None:
        """Count the corners among an operand's elements."""
        counter = self.operands.setdefault(operand, Counter())
        for table in (_FINITE[self.dtype], _SPECIAL[self.dtype]):
            for name, value in table.items():
                counter[name] += int(np.count_nonzero(values == value))

    def see_results(self, values: Array) -> None:
        """Count the kinds of expected results."""
        self.results.update(_kind(value) for value in values.reshape(-1))

    def missing(self) -> list[str]:
        """Corners that did not come up, as ``a: -0``."""
        kinds = _INT_RESULTS if self.dtype == "int8" else _FLOAT_RESULTS
        lost = [
            f"{operand}: {name}"
            for operand, seen in self.operands.items()
            for name in corner_names(self.dtype)
            if not seen[name]
        ]
        return lost + [f"result: {kind}" for kind in kinds if not self.results[kind]]


def _kind(value: Any) -> str:
    if isinstance(value, np.integer):
        return "zero" if value == 0 else "positive" if value > 0 else "negative"
    if np.isnan(value):
        return "NaN"
    if np.isinf(value):
        return "infinity"
    if value == 0:
        return "-0" if np.signbit(value) else "+0"
    return "subnormal" if abs(value) < np.finfo(np.float32).tiny else "normal"
