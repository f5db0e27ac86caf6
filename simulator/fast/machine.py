"""A machine as the recurrence reads it: the numbers that timing depends on (``enum number`` of C)."""

from __future__ import annotations

import struct
from fractions import Fraction
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from simulator.machines.columns import MachineColumns
from simulator.machines.systolic import SystolicMachine

# Fields that decide how a Program is made; machines that share one agree in them, and in ``line_elements``.
DATAFLOW: Final = "matrix_unit.dataflow"
SHARED: Final = ("matrix_unit.rows", "matrix_unit.cols", DATAFLOW)
# Fields that decide who waits for whom: machines that agree in them are timed side by side.
STRUCTURE: Final = (
    "matrix_unit.weight_buffers",
    "matrix_unit.overlap",
    "sequencer.queue_depth",
    "weight_fifo.depth_tiles",
)
LINE: Final = "line_elements"
RATES: Final = ("host_link.bytes_per_cycle", "hbm.bytes_per_cycle")  # two numbers: numerator and denominator
CYCLES: Final = (
    "host_link.bytes_per_cycle",
    "host_link.latency_cycles",
    "hbm.bytes_per_cycle",
    "hbm.latency_cycles",
    "unified_buffer.read_latency_cycles",
    "matrix_unit.pe_latency_cycles",
    "matrix_unit.horizontal_hop_cycles",
    "matrix_unit.vertical_hop_cycles",
    "accumulators.adder_latency_cycles",
    "vector_unit.lanes",
    "vector_unit.alu_latency_cycles",
    "vector_unit.divide_cycles",
    "vector_unit.sqrt_cycles",
    "vector_unit.table_cycles",
)
PLACE: Final[dict[str, int]] = {}  # where a field's number, or the first of a rate's two, lies
NUMBERS: Final = len(SHARED) + len(STRUCTURE) + 1 + len(CYCLES) + len(RATES)
for _path in (*SHARED, *STRUCTURE, LINE, *CYCLES):
    PLACE[_path] = len(PLACE) + sum(rate in PLACE for rate in RATES)

_PACK: Final = struct.Struct(f"={NUMBERS}q").pack


def numbers(machine: SystolicMachine) -> tuple[int, ...]:
    """The numbers of a machine."""
    unit, vector, memory, host = machine.matrix_unit, machine.vector_unit, machine.hbm, machine.host_link
    to_memory, to_host = memory.bytes_per_cycle, host.bytes_per_cycle
    return (
        unit.rows,
        unit.cols,
        unit.dataflow == "os",
        unit.weight_buffers,
        unit.overlap,
        machine.sequencer.queue_depth,
        machine.weight_fifo.depth_tiles,
        machine.line_elements,
        to_host.numerator,
        to_host.denominator,
        host.latency_cycles,
        to_memory.numerator,
        to_memory.denominator,
        memory.latency_cycles,
        machine.unified_buffer.read_latency_cycles,
        unit.pe_latency_cycles,
        unit.horizontal_hop_cycles,
        unit.vertical_hop_cycles,
        machine.accumulators.adder_latency_cycles,
        vector.lanes,
        vector.alu_latency_cycles,
        vector.divide_cycles,
        vector.sqrt_cycles,
        vector.table_cycles,
    )


def numbers_of(columns: MachineColumns) -> npt.NDArray[np.int64]:
    """Those of many machines: (NUMBERS, machines)."""
    found = np.empty((NUMBERS, len(columns)), dtype=np.int64)
    for path in (*SHARED, *STRUCTURE, *CYCLES):
        at = PLACE[path]
        if path in RATES:
            found[at], found[at + 1] = columns.rates(path)
        elif path == DATAFLOW:
            found[at] = [dataflow == "os" for dataflow in columns.values(path)]
        else:
            found[at] = columns.longs(path)
    sizes = ("matrix_unit.rows", "matrix_unit.cols", "vector_unit.lanes")
    found[PLACE[LINE]] = np.maximum.reduce([found[PLACE[path]] for path in sizes])
    return found


def packed(machine: SystolicMachine) -> bytes:
    """The numbers of a machine as C reads them."""
    return _PACK(*numbers(machine))


def machine_of(found: tuple[int, ...], mhz: float) -> SystolicMachine:
    """A machine with these numbers, as far as timing looks at it."""
    tables: dict[str, dict[str, Any]] = {"clock": {"mhz": mhz}}
    for path in (*SHARED, *STRUCTURE, *CYCLES):
        value: Any = found[PLACE[path]]
        if path in RATES:
            value = Fraction(value, found[PLACE[path] + 1])
        elif path == DATAFLOW:
            value = "os" if value else "ws"  # "is" is timed as "ws"
        table, field = path.split(".")
        tables.setdefault(table, {})[field] = value
    view: dict[str, Any] = {name: SimpleNamespace(**table) for name, table in tables.items()}
    return SystolicMachine.model_construct(**view)
