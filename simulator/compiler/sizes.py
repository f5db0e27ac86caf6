"""The numbers of a machine that decide how a graph is compiled, side by side for many machines."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from simulator.machines.columns import MachineColumns

Longs = npt.NDArray[np.int64]

DATAFLOWS: Final = ("ws", "os", "is")
DATAFLOW: Final = "matrix_unit.dataflow"
RATE: Final = "hbm.bytes_per_cycle"
NUMBERS: Final = (  # ``struct core`` of ``native/steps.h``; a rate is two numbers
    "matrix_unit.rows",
    "matrix_unit.cols",
    "vector_unit.lanes",
    DATAFLOW,
    "unified_buffer.capacity_bytes",
    "accumulators.lines",
    "vector_unit.divide_cycles",
    "vector_unit.sqrt_cycles",
    "vector_unit.table_cycles",
    "hbm.capacity_bytes",
    RATE,
)


def numbers_of(columns: MachineColumns) -> Longs:
    """A row of ``NUMBERS`` for every machine: those that agree in them have one Program, or none."""
    found = np.empty((len(columns), len(NUMBERS) + 1), dtype=np.int64)
    for at, path in enumerate(NUMBERS):
        if path == DATAFLOW:
            found[:, at] = list(map(DATAFLOWS.index, columns.values(path)))
        elif path == RATE:
            found[:, at], found[:, at + 1] = columns.rates(path)
        else:
            found[:, at] = columns.longs(path)
    return found
