"""Fields of many machines side by side, read in one go: a call for each number takes longer than what is done
with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import attrgetter, itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.machines.systolic import SystolicMachine

Longs = npt.NDArray[np.int64]


class MachineColumns:
    """Fields of machines, by path such as ``hbm.latency_cycles``. No object is made per machine."""

    def __init__(self, machines: Sequence[SystolicMachine]) -> None:
        self._machines = list(map(vars, machines))
        self._units: dict[str, list[dict[str, Any]]] = {}

    def __len__(self) -> int:
        return len(self._machines)

    def values(self, path: str) -> Iterator[Any]:
        """A field as it is."""
        table, field = path.split(".")
        if table not in self._units:
            self._units[table] = list(map(vars, map(itemgetter(table), self._machines)))
        return map(itemgetter(field), self._units[table])

    def longs(self, path: str) -> Longs:
        """An integer, or a number of a rate."""
        return np.fromiter(self.values(path), np.int64, len(self))

    def rates(self, path: str) -> tuple[Longs, Longs]:
        """Numerators and denominators."""
        found = list(self.values(path))
        parts = (map(attrgetter(name), found) for name in ("numerator", "denominator"))
        numerators, denominators = (np.fromiter(part, np.int64, len(self)) for part in parts)
        return numerators, denominators
