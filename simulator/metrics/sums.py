"""What a Program and its run add up to, by operation: all that metrics need, part after part.

A Trace is one way to the sums of cycles; an engine that keeps no Trace is another.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, final

import numpy as np
import numpy.typing as npt

from simulator.errors import CheckError
from simulator.isa import Flag, Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.metrics.account import (
    UnitAccount,
    account,
    busy_by_operation,
    operation_of,
    stalls_by_operation,
)
from simulator.metrics.counters import Counters, count
from simulator.metrics.traffic import Moved, moved
from simulator.program import NO_OPERATION, Operation, Program
from simulator.timing import transfer_bytes
from simulator.trace import REASONS, STALL_DTYPE, TRACE_UNITS, WEIGHT_SHIFTER, Columns, Trace

Longs = npt.NDArray[np.int64]
LATER = int(np.iinfo(np.int64).max)  # the start of what has not started


class CycleSums(NamedTuple):
    """Cycles of one run. A row is an operation, the last one what belongs to none.

    Shapes: first, last (rows,); busy (units, rows); stalls (units, rows, reasons).
    """

    cycles: int
    engine: str
    clock_mhz: float
    first: Longs  # first start
    last: Longs  # last end
    busy: Longs
    stalls: Longs

    def accounts(self) -> tuple[UnitAccount, ...]:
        """The account of every unit.

        Raises:
            CheckError: a cycle is counted twice or not at all.
        """
        busy, stalls = self.busy.sum(axis=1), self.stalls.sum(axis=1)
        for name, total in zip(TRACE_UNITS, (busy + stalls.sum(axis=1)).tolist(), strict=True):
            if total != self.cycles:
                raise CheckError(f"account of {name}: {total} of {self.cycles} cycles are busy or stalled")
        return tuple(
            UnitAccount(
                unit=name,
                cycles=self.cycles,
                busy=int(busy[unit]),
                stalls={str(reason): int(n) for reason, n in zip(REASONS, stalls[unit], strict=True)},
            )
            for unit, name in enumerate(TRACE_UNITS)
        )


def cycle_sums(program: Program, trace: Trace) -> CycleSums:
    """The sums of a Trace.

    Raises:
        CheckError: the Trace counts a cycle twice or not at all.
    """
    account(trace)
    rows, units = len(program.operations) + 1, range(len(TRACE_UNITS))
    row = operation_of(program, trace.events["instruction"])
    first = np.full(rows, LATER, dtype=np.int64)
    np.minimum.at(first, row, trace.events["start"])
    last = np.zeros(rows, dtype=np.int64)
    np.maximum.at(last, row, trace.events["end"])
    busy = np.stack([busy_by_operation(program, trace, unit) for unit in units])
    stalls = np.stack([stalls_by_operation(program, trace, unit) for unit in units])
    return CycleSums(trace.cycles, trace.engine, trace.clock_mhz, first, last, busy, stalls)


@dataclass
class ProgramSums:
    """What does not depend on when instructions run; ``add`` takes one part of a Program after the other."""

    operations: tuple[Operation, ...]
    counters: Counters = field(default_factory=Counters)
    moved: Moved | None = None
    instructions: Longs = field(init=False)
    macs: Longs = field(init=False)
    hbm_bytes: Longs = field(init=False)
    host_bytes: Longs = field(init=False)

    def __post_init__(self) -> None:
        for name in ("instructions", "macs", "hbm_bytes", "host_bytes"):
            setattr(self, name, np.zeros(len(self.operations) + 1, dtype=np.int64))

    def add(self, machine: SystolicMachine, part: Program) -> None:
        """One more part, of a Program of these operations.

        Raises:
            CheckError: a LOAD or STORE does not say what it moves, or why, or where its tensor lies.
        """
        records = part.records
        row = operation_of(part, np.arange(len(records)))
        self.instructions += np.bincount(row, minlength=len(self.instructions))
        matmul = records["opcode"] == Opcode.MATMUL
        np.add.at(self.macs, row[matmul], part.macs[matmul])
        moves = np.flatnonzero(np.isin(records["opcode"], (Opcode.LOAD, Opcode.STORE)))
        n_bytes = transfer_bytes(machine, records[moves])
        to_host = (records["flags"][moves] & Flag.HOST) != 0
        np.add.at(self.hbm_bytes, row[moves[~to_host]], n_bytes[~to_host])
        np.add.at(self.host_bytes, row[moves[to_host]], n_bytes[to_host])
        _add_counters(self.counters, count(machine, part))
        of_part = moved(machine, part)
        self.moved = of_part if self.moved is None else self.moved + of_part

    def check_macs(self, name: str) -> None:
        """Every multiply-accumulate that the graph asks for is done once.

        Raises:
            CheckError: it is not.
        """
        asked = sum(operation.macs for operation in self.operations)
        if asked != self.counters.macs_useful:
            raise CheckError(
                f"{name}: the graph asks for {asked} multiply-accumulates, the Program does "
                f"{self.counters.macs_useful}"
            )


def program_sums(machine: SystolicMachine, program: Program) -> ProgramSums:
    """The sums of a whole Program."""
    sums = ProgramSums(program.operations)
    sums.add(machine, program)
    return sums


def _add_counters(total: Counters, more: Counters) -> None:
    for each in fields(Counters):
        mine, its = getattr(total, each.name), getattr(more, each.name)
        if isinstance(its, dict):
            for key, number in its.items():
                mine[key] = mine.get(key, 0) + number
        else:
            setattr(total, each.name, mine + its)


@final
class CycleTally:
    """Sums of a run whose events come in stretches and are forgotten.

    Each stretch is events in program order, shifts and stalls; a unit's stalls are there before the event
    that they delay, or with it.
    """

    def __init__(self, count: int, operations: int) -> None:
        rows, units = operations + 1, len(TRACE_UNITS)
        self._rows = rows
        self._operation = np.empty(count, dtype=np.int32)  # row of every instruction
        self._known = 0
        self._first = np.full(rows, LATER, dtype=np.int64)
        self._last = np.zeros(rows, dtype=np.int64)
        self._busy = np.zeros((units, rows), dtype=np.int64)
        self._stalls = np.zeros((units, rows, len(REASONS)), dtype=np.int64)
        self._waiting = np.zeros(0, dtype=STALL_DTYPE)  # for an instruction that is not known yet

    def add_part(self, part: Program) -> None:
        """The next instructions, before any of their events."""
        row = np.where(part.operation == NO_OPERATION, self._rows - 1, part.operation)
        self._operation[self._known : self._known + len(part)] = row
        self._known += len(part)

    def add(self, events: Columns, shifts: Columns, stalls: Columns) -> None:
        """The next stretch."""
        row, unit = self._operation[events["instruction"]], events["unit"]
        np.minimum.at(self._first, row, events["start"])
        np.maximum.at(self._last, row, events["end"])
        np.add.at(self._busy, (unit, row), events["busy_end"] - events["start"])
        self._busy[UnitId.SEQUENCER] += np.bincount(row, minlength=self._rows)  # a cycle each to dispatch
        owner = np.where(shifts["matmul"] >= 0, shifts["matmul"], shifts["wload"])
        np.add.at(self._busy[WEIGHT_SHIFTER], self._operation[owner], shifts["end"] - shifts["start"])
        stalls = np.concatenate([self._waiting, stalls])
        for index in range(WEIGHT_SHIFTER):
            self._name_next(stalls, index, events[unit == index])
        known = stalls["instruction"] >= 0
        self._charge(stalls[known], self._operation[stalls["instruction"][known]])
        self._waiting = stalls[~known]

    def _name_next(self, stalls: Columns, unit: int, events: Columns) -> None:
        """Where no instruction was there yet, the one that the unit turns to next."""
        mine = np.flatnonzero((stalls["unit"] == unit) & (stalls["instruction"] < 0))
        following = np.searchsorted(events["start"], stalls["end"][mine])
        there = following < len(events)
        stalls["instruction"][mine[there]] = events["instruction"][following[there]]

    def _charge(self, stalls: Columns, row: Any) -> None:
        np.add.at(
            self._stalls, (stalls["unit"], row, stalls["reason"]), stalls["end"] - stalls["start"]
        )

    def sums(self, cycles: int, engine: str, clock_mhz: float) -> CycleSums:
        """After the last stretch; what still waits has finished."""
        self._charge(self._waiting, np.full(len(self._waiting), self._rows - 1))
        return CycleSums(cycles, engine, clock_mhz, self._first, self._last, self._busy, self._stalls)
