"""The Program's operations as a table: when, how long, on which units, how many bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.isa import Flag, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.metrics.account import (
    Cycles,
    UnitAccount,
    busy_by_operation,
    operation_of,
    stalls_by_operation,
)
from simulator.program import Program
from simulator.timing import transfer_bytes
from simulator.trace import REASONS, TRACE_UNITS, Trace

CONTROL = "(control)"  # instructions that belong to no operation
BOUNDS = {
    "matrix_unit": "compute",
    "dma": "memory",
    "weight_loader": "weights",
    "weight_shifter": "weights",
    "vector_unit": "vector",
    "transposer": "transpose",
}
"""What limits: named after the unit that is busy longest (the first in this order on a tie)."""
NO_BOUND = "none"


@dataclass(frozen=True)
class OperationMetrics:
    """One operation of the graph on the machine. Spans of operations overlap; busy cycles do not.

    Units: cycles, multiply-accumulates, bytes.
    """

    index: int  # in ``Program.operations``; -1 for the instructions that belong to none
    name: str
    label: str
    source: str  # the user's file:line:column
    instructions: int
    start: int  # first start
    end: int  # last end
    busy: dict[str, int]  # by unit
    stalls: dict[
        str, dict[str, int]
    ]  # by unit and reason: waiting of this operation's instructions, non-zero ones
    macs: int
    utilization: float  # useful MACs / (rows * cols * span)
    hbm_bytes: int
    host_bytes: int
    bound: str

    @property
    def span(self) -> int:
        """Cycles from the first start to the last end."""
        return self.end - self.start


def bound_of(busy: dict[str, int]) -> str:
    """The resource named by the unit that is busy longest, or ``none`` where no unit is busy.

    The sequencer is not a resource of an operation.
    """
    longest = max(BOUNDS, key=lambda unit: busy.get(unit, 0))
    return BOUNDS[longest] if busy.get(longest, 0) else NO_BOUND


def program_bound(units: tuple[UnitAccount, ...]) -> str:
    """What limits a whole Program: the resource of the unit that is busy longest."""
    return bound_of({unit.unit: unit.busy for unit in units})


def operation_table(machine: SystolicMachine, program: Program, trace: Trace) -> tuple[OperationMetrics, ...]:
    """Every operation that has an instruction, in the order of ``program.operations``, control last."""
    n_rows = len(program.operations) + 1
    instruction = trace.events["instruction"].astype(np.int64)
    row = operation_of(program, instruction)
    first = np.full(n_rows, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(first, row, trace.events["start"])
    last = np.zeros(n_rows, dtype=np.int64)
    np.maximum.at(last, row, trace.events["end"])
    instructions = np.bincount(row, minlength=n_rows)
    macs, hbm, host = _sums(machine, program, row, instruction)
    busy = {name: busy_by_operation(program, trace, unit) for unit, name in enumerate(TRACE_UNITS)}
    stalls = {name: stalls_by_operation(program, trace, unit) for unit, name in enumerate(TRACE_UNITS)}
    pes = machine.matrix_unit.rows * machine.matrix_unit.cols
    table = []
    for index in np.flatnonzero(instructions):
        known = index < len(program.operations)
        operation = program.operations[index] if known else None
        span = int(last[index] - first[index])
        mine = {name: int(cycles[index]) for name, cycles in busy.items()}
        table.append(
            OperationMetrics(
                index=int(index) if known else -1,
                name=operation.name if operation else CONTROL,
                label=operation.label if operation else CONTROL,
                source=str(operation.where) if operation else "",
                instructions=int(instructions[index]),
                start=int(first[index]),
                end=int(last[index]),
                busy=mine,
                stalls={name: _named(cycles[index]) for name, cycles in stalls.items()},
                macs=int(macs[index]),
                utilization=int(macs[index]) / (pes * span) if span else 0.0,
                hbm_bytes=int(hbm[index]),
                host_bytes=int(host[index]),
                bound=bound_of(mine),
            )
        )
    return tuple(table)


def _named(cycles: Cycles) -> dict[str, int]:
    return {str(REASONS[i]): int(cycles[i]) for i in np.flatnonzero(cycles)}


def _sums(
    machine: SystolicMachine, program: Program, row: Cycles, instruction: Cycles
) -> tuple[Cycles, Cycles, Cycles]:
    """MACs, HBM bytes and host bytes of each row of the table."""
    n_rows = len(program.operations) + 1
    records = program.records[instruction]
    macs, hbm, host = (np.zeros(n_rows, dtype=np.int64) for _ in range(3))
    matmul = records["opcode"] == Opcode.MATMUL
    np.add.at(macs, row[matmul], program.macs[instruction[matmul]])
    moves = np.isin(records["opcode"], (Opcode.LOAD, Opcode.STORE))
    to_host = moves & ((records["flags"] & Flag.HOST) != 0)
    for total, chosen in ((hbm, moves & ~to_host), (host, to_host)):
        np.add.at(total, row[chosen], transfer_bytes(machine, records[chosen]))
    return macs, hbm, host


MATRIX_UNIT = TRACE_UNITS[UnitId.MATRIX]
