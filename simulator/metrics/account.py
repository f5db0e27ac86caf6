"""Where every cycle of every unit went: busy, or waiting for one named reason. A cycle left over is an error.

A unit is busy in ``[start, busy_end)`` of its instructions; the weight shifter while it shifts a tile; the
sequencer in the cycle in which it dispatches an instruction and while it executes HALT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.errors import CheckError
from simulator.isa import UnitId
from simulator.program import NO_OPERATION, Program
from simulator.trace import REASONS, TRACE_UNITS, WEIGHT_SHIFTER, Trace

Cycles = npt.NDArray[np.int64]


class Spans(NamedTuple):
    """Half-open intervals of one unit in order of time, and the instruction each belongs to.

    Units: cycles.
    """

    start: Cycles
    end: Cycles
    instruction: Cycles


@dataclass(frozen=True)
class UnitAccount:
    """The cycles of one unit: ``busy + sum(stalls) == cycles``, exactly.

    Units: cycles.
    """

    unit: str
    cycles: int
    busy: int
    stalls: dict[str, int]  # every reason of ``docs/timing.md``, zero where it did not happen

    @property
    def busy_fraction(self) -> float:
        """Share of the cycles in which the unit works."""
        return self.busy / self.cycles if self.cycles else 0.0


def busy_spans(trace: Trace, unit: int) -> Spans:
    """When a unit (an index into ``TRACE_UNITS``) works."""
    if unit == WEIGHT_SHIFTER:
        shifts = trace.shifts
        owner = np.where(shifts["matmul"] >= 0, shifts["matmul"], shifts["wload"])
        return _ordered(shifts["start"], shifts["end"], owner)
    events = trace.events
    mine = events[events["unit"] == unit]
    spans = (mine["start"], mine["busy_end"], mine["instruction"])
    if unit == UnitId.SEQUENCER:
        dispatch = events["dispatch"]
        spans = (
            np.concatenate([dispatch, spans[0]]),
            np.concatenate([dispatch + 1, spans[1]]),
            np.concatenate([events["instruction"], spans[2]]),
        )
    return _ordered(*spans)


def stall_records(trace: Trace, unit: int) -> npt.NDArray[Any]:
    """The waiting intervals of a unit, records of ``STALL_DTYPE`` in order of time."""
    mine = trace.stalls[trace.stalls["unit"] == unit]
    mine = mine[mine["end"] > mine["start"]]
    ordered: npt.NDArray[Any] = mine[np.argsort(mine["start"], kind="stable")]
    return ordered


def account(trace: Trace) -> tuple[UnitAccount, ...]:
    """The account of every unit of ``TRACE_UNITS``, in that order.

    Raises:
        CheckError: a cycle is counted twice or not at all.
    """
    return tuple(_account_of(trace, unit) for unit in range(len(TRACE_UNITS)))


def busy_by_operation(program: Program, trace: Trace, unit: int) -> Cycles:
    """Busy cycles of a unit for each operation; the last entry is of instructions that belong to none."""
    spans = busy_spans(trace, unit)
    return _sum_by_operation(program, spans.instruction, spans.end - spans.start)


def stalls_by_operation(program: Program, trace: Trace, unit: int) -> Cycles:
    """Cycles a unit waits, charged to the operation whose instruction waits (an empty queue: the next one).

    Shapes: (operations + 1, reasons): the last row is of what belongs to no operation, as ``finished``.
    """
    records = _with_next_instruction(trace, unit)
    table = np.zeros((len(program.operations) + 1, len(REASONS)), dtype=np.int64)
    for index in range(len(REASONS)):
        mine = records[records["reason"] == index]
        table[:, index] = _sum_by_operation(program, mine["instruction"], mine["end"] - mine["start"])
    return table


def operation_of(program: Program, instruction: Cycles) -> Cycles:
    """The operation of each instruction; ``len(operations)`` where there is none."""
    n_operations = len(program.operations)
    known = instruction >= 0
    operation = np.full(len(instruction), NO_OPERATION, dtype=np.int64)
    operation[known] = program.operation[instruction[known]]
    return np.where(operation == NO_OPERATION, n_operations, operation)


def _sum_by_operation(program: Program, instruction: Cycles, cycles: Cycles) -> Cycles:
    total = np.zeros(len(program.operations) + 1, dtype=np.int64)
    np.add.at(total, operation_of(program, instruction), cycles)
    return total


def _with_next_instruction(trace: Trace, unit: int) -> npt.NDArray[Any]:
    """The waiting intervals; where no instruction was there yet, the one that the unit turns to next."""
    records, spans = stall_records(trace, unit).copy(), busy_spans(trace, unit)
    following = np.searchsorted(spans.start, records["end"])
    unknown = (records["instruction"] < 0) & (following < len(spans.start))
    records["instruction"][unknown] = spans.instruction[following[unknown]]
    return records


def _ordered(start: Cycles, end: Cycles, instruction: Cycles) -> Spans:
    order = np.argsort(start, kind="stable")
    return Spans(start[order], end[order], instruction[order])


def _account_of(trace: Trace, unit: int) -> UnitAccount:
    busy, waits = busy_spans(trace, unit), stall_records(trace, unit)
    start = np.concatenate([busy.start, waits["start"]])
    end = np.concatenate([busy.end, waits["end"]])
    _check_tiling(TRACE_UNITS[unit], start, end, trace.cycles)
    stalls = np.zeros(len(REASONS), dtype=np.int64)
    np.add.at(stalls, waits["reason"], waits["end"] - waits["start"])
    return UnitAccount(
        unit=TRACE_UNITS[unit],
        cycles=trace.cycles,
        busy=int((busy.end - busy.start).sum()),
        stalls={str(reason): int(cycles) for reason, cycles in zip(REASONS, stalls, strict=True)},
    )


def _check_tiling(unit: str, start: Cycles, end: Cycles, cycles: int) -> None:
    """The intervals must cover ``[0, cycles)`` once: sorted, each begins where the one before ends."""
    order = np.argsort(start, kind="stable")
    begins = np.append(start[order], cycles)
    ends = np.concatenate([[0], end[order]])
    wrong = np.flatnonzero(begins != ends)
    if len(wrong):
        first = wrong[0]
        begin, previous = int(begins[first]), int(ends[first])
        what = "are counted twice" if begin < previous else "are neither busy nor stalled"
        low, high = sorted((begin, previous))
        raise CheckError(f"account of {unit}: cycles [{low}, {high}) of {cycles} {what}")
