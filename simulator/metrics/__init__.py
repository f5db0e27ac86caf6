"""Every number of a report, derived from a machine, a Program and a Trace."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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
from simulator.metrics.sums import CycleSums, CycleTally, ProgramSums, cycle_sums, program_sums
from simulator.metrics.traffic import TensorTraffic, traffic
from simulator.program import Program
from simulator.trace import Trace
from simulator.units import cycles_to_us

__all__ = [
    "MATRIX_UNIT",
    "OPERATIONS_PER_MAC",
    "Counters",
    "CycleSums",
    "CycleTally",
    "Metrics",
    "OperationMetrics",
    "ProgramSums",
    "Roof",
    "Roofline",
    "Spans",
    "TensorTraffic",
    "UnitAccount",
    "account",
    "bound_of",
    "busy_spans",
    "count",
    "from_sums",
    "measure",
    "operation_of",
    "program_bound",
    "roofline",
    "stall_records",
    "stalls_by_operation",
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
    run = cycle_sums(program, trace)
    return from_sums(machine, program.name, program.tensors, program_sums(machine, program), run)


def from_sums(
    machine: SystolicMachine, name: str, tensors: tuple[str, ...], sums: ProgramSums, run: CycleSums
) -> Metrics:
    """All metrics of one execution of the Program of that name, from what it adds up to.

    Raises:
        CheckError: as ``measure``.
    """
    sums.check_macs(name)
    assert sums.moved is not None, "a Program has at least one part"
    units, counters = run.accounts(), sums.counters
    macs = counters.macs_useful
    pes = machine.matrix_unit.rows * machine.matrix_unit.cols
    return Metrics(
        machine=machine.name,
        engine=run.engine,
        clock_mhz=run.clock_mhz,
        cycles=run.cycles,
        time_us=cycles_to_us(run.cycles, run.clock_mhz),
        macs=macs,
        utilization=macs / (pes * run.cycles) if run.cycles else 0.0,
        bound=program_bound(units),
        units=units,
        operations=operation_table(machine, sums, run),
        traffic=traffic(tensors, sums.moved),
        roofline=roofline(machine, macs, run.cycles, counters.hbm_bytes, counters.host_bytes),
        counters=counters,
    )
