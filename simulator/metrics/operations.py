"""The Program's operations as a table: when, how long, on which units, how many bytes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.isa import UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.metrics.account import Cycles, UnitAccount
from simulator.metrics.sums import CycleSums, ProgramSums
from simulator.trace import REASONS, TRACE_UNITS

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


def operation_table(
    machine: SystolicMachine, sums: ProgramSums, run: CycleSums
) -> tuple[OperationMetrics, ...]:
    """Every operation that has an instruction, in the order of ``sums.operations``, control last."""
    pes = machine.matrix_unit.rows * machine.matrix_unit.cols
    table = []
    for index in np.flatnonzero(sums.instructions):
        known = index < len(sums.operations)
        operation = sums.operations[index] if known else None
        span = int(run.last[index] - run.first[index])
        mine = {name: int(run.busy[unit, index]) for unit, name in enumerate(TRACE_UNITS)}
        table.append(
            OperationMetrics(
                index=int(index) if known else -1,
                name=operation.name if operation else CONTROL,
                label=operation.label if operation else CONTROL,
                source=str(operation.where) if operation else "",
                instructions=int(sums.instructions[index]),
                start=int(run.first[index]),
                end=int(run.last[index]),
                busy=mine,
                stalls={name: _named(run.stalls[unit, index]) for unit, name in enumerate(TRACE_UNITS)},
                macs=int(sums.macs[index]),
                utilization=int(sums.macs[index]) / (pes * span) if span else 0.0,
                hbm_bytes=int(sums.hbm_bytes[index]),
                host_bytes=int(sums.host_bytes[index]),
                bound=bound_of(mine),
            )
        )
    return tuple(table)


def _named(cycles: Cycles) -> dict[str, int]:
    return {str(REASONS[i]): int(cycles[i]) for i in np.flatnonzero(cycles)}


MATRIX_UNIT = TRACE_UNITS[UnitId.MATRIX]
