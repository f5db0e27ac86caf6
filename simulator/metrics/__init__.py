"""Every number of a report, derived from a machine, a Program and a Trace."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from simulator.errors import CheckError
from simulator.machines.systolic import SystolicMachine
from simulator.metrics.account import (
    Spans,
    UnitAccount,
    account,
    busy_spans,
    operation_of,
    stall_records,
    stalls_by_operation,
)
from simulator.metrics.counters import Counters, count
from simulator.metrics.operations import (
    MATRIX_UNIT,
    OperationMetrics,
    bound_of,
    operation_table,
    program_bound,
)
from simulator.metrics.roofline import OPERATIONS_PER_MAC, Roof, Roofline, roofline
from simulator.metrics.traffic import TensorTraffic, traffic
from simulator.program import Program
from simulator.trace import Trace
from simulator.units import cycles_to_us

__all__ = [
    "MATRIX_UNIT",
    "OPERATIONS_PER_MAC",
    "Counters",
    "Metrics",
    "OperationMetrics",
    "Roof",
    "Roofline",
    "Spans",
    "TensorTraffic",
    "UnitAccount",
    "account",
    "bound_of",
    "busy_spans",
    "count",
    "measure",
    "operation_of",
    "operation_table",
    "program_bound",
    "roofline",
    "stall_records",
    "stalls_by_operation",
    "traffic",
]


@dataclass(frozen=True)
class Metrics:
    """One execution of a Program.

    Units: cycles of the core clock, microseconds, multiply-accumulates, bytes.
    """

    machine: str
    engine: str
    clock_mhz: float
    cycles: int
    time_us: float
    macs: int
    utilization: float  # useful MACs / (rows * cols * cycles)
    bound: str
    units: tuple[UnitAccount, ...]
    operations: tuple[OperationMetrics, ...]
    traffic: tuple[TensorTraffic, ...]
    roofline: Roofline
    counters: Counters

    def unit(self, name: str) -> UnitAccount:
        """The account of the unit of that name."""
        return next(unit for unit in self.units if unit.unit == name)

    @property
    def stalls(self) -> dict[str, int]:
        """Cycles the matrix unit waits, by reason."""
        return self.unit(MATRIX_UNIT).stalls

    def summary(self) -> dict[str, Any]:
        """The keys every command's JSON has, but ``energy_pj``; per-unit accounts under ``units``."""
        return {
            "machine": self.machine,
            "engine": self.engine,
            "cycles": self.cycles,
            "time_us": self.time_us,
            "utilization": self.utilization,
            "macs": self.macs,
            "bound": self.bound,
            "stalls": dict(self.stalls),
            "units": {unit.unit: {"busy": unit.busy, "stalls": dict(unit.stalls)} for unit in self.units},
        }

    def details(self) -> dict[str, Any]:
        """``summary`` with the tables of operations and traffic, the roofline and the counters."""
        return {
            **self.summary(),
            "operations": [{**asdict(row), "span": row.span} for row in self.operations],
            "traffic": [
                {
                    **asdict(row),
                    "needed_bytes": row.needed_bytes,
                    "padding_bytes": row.padding_bytes,
                    "extra_bytes": row.extra_bytes,
                    "total_bytes": row.total_bytes,
                }
                for row in self.traffic
            ],
            "roofline": asdict(self.roofline),
            "counters": asdict(self.counters),
        }


def measure(machine: SystolicMachine, program: Program, trace: Trace) -> Metrics:
    """All metrics of one execution.

    Raises:
        CheckError: a cycle of a unit or a byte is not accounted for, or the operations' multiply-accumulates
            are not those of the instructions.
    """
    _check_macs(program)
    units = account(trace)
    counters = count(machine, program)
    cycles, macs = trace.cycles, counters.macs_useful
    pes = machine.matrix_unit.rows * machine.matrix_unit.cols
    return Metrics(
        machine=machine.name,
        engine=trace.engine,
        clock_mhz=trace.clock_mhz,
        cycles=cycles,
        time_us=cycles_to_us(cycles, trace.clock_mhz),
        macs=macs,
        utilization=macs / (pes * cycles) if cycles else 0.0,
        bound=program_bound(units),
        units=units,
        operations=operation_table(machine, program, trace),
        traffic=traffic(machine, program),
        roofline=roofline(machine, macs, cycles, counters.hbm_bytes, counters.host_bytes),
        counters=counters,
    )


def _check_macs(program: Program) -> None:
    asked = sum(operation.macs for operation in program.operations)
    done = int(program.macs.sum())
    if asked != done:
        raise CheckError(
            f"{program.name}: the graph asks for {asked} multiply-accumulates, the Program does {done}"
        )
