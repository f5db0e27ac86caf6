"""A Program too long to be in memory, run part after part: what has ended is given away and forgotten."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import final

import numpy as np

from simulator.errors import ProgramError
from simulator.isa import Opcode, Records, UnitId
from simulator.machines.systolic import SystolicMachine
from simulator.systolic.clock import Clock
from simulator.systolic.machine import run
from simulator.systolic.recorder import Recorder, shift_records, stall_records
from simulator.systolic.stream import InstructionStream, decode_columns
from simulator.trace import EVENT_DTYPE, Columns

Sink = Callable[[Columns, Columns, Columns], None]
"""Takes events in program order, shifts and stalls in their order of time, of units mixed."""


@final
class _Stream(InstructionStream):
    """Holds the part that is being dispatched, and of those before it what has not ended."""

    def __init__(self, machine: SystolicMachine, parts: Iterable[Records]) -> None:
        super().__init__({}, {}, {}, {}, {}, {}, {}, {}, [sys.maxsize] * len(UnitId))  # counts come later
        self._machine, self._parts = machine, parts
        self._halt = -1
        self.dispatched: Callable[[int], None] = lambda end: None

    @property
    def columns(self) -> tuple[dict[int, int], ...]:
        """All columns."""
        return tuple(column for column in vars(self).values() if isinstance(column, dict))

    def before_halt(self) -> Iterable[int]:
        begin = 0
        for records in self._parts:
            end = begin + len(records)
            halts = np.flatnonzero(records["opcode"] == Opcode.HALT)
            if len(halts) and (len(halts) > 1 or halts[0] != len(records) - 1):
                break
            for name, column in decode_columns(self._machine, records, begin).items():
                getattr(self, name).update(zip(range(begin, end), column, strict=True))
            if len(halts):
                yield from range(begin, end - 1)
                self._halt = end - 1
                return
            yield from range(begin, end)
            self.dispatched(end)
            begin = end
        raise ProgramError("a Program ends with its one HALT instruction")

    @property
    def halt(self) -> int:
        return self._halt


@final
class _Recorder(Recorder):
    """Gives events away when they have ended, in program order."""

    def __init__(self, stream: _Stream, clock: Clock, sink: Sink) -> None:
        super().__init__(stream)
        self._clock, self._sink = clock, sink
        self._columns = stream.columns
        self._dispatch: dict[int, int] = {}
        self._start: dict[int, int] = {}
        self._end: dict[int, int] = {}
        self.dispatch, self.start, self.end = self._dispatch, self._start, self._end
        self._settled = 0
        stream.dispatched = self.settle

    def settle(self, end: int) -> None:
        """Instructions before ``end`` have been dispatched."""
        ends, now, begin = self._end, self._clock.now, self._settled
        upto = next((i for i in range(begin, end) if i not in ends or ends[i] >= now), end)
        self._give(begin, upto)

    def check_complete(self, cycles: int) -> None:
        if len(self._end) != len(self._dispatch) or max(self._end.values()) > cycles:
            raise ProgramError(f"HALT ends in cycle {cycles} before another instruction has ended")
        if self.shifts and (self.shifts[-1] > cycles or self.shifts[-3] not in self.swaps[::2]):
            raise ProgramError(f"HALT ends in cycle {cycles} before a tile that no MATMUL uses")

    def give_rest(self) -> None:
        """After the last instruction."""
        self._give(self._settled, self.stream.halt + 1)

    def _give(self, begin: int, end: int) -> None:
        numbers = range(begin, end)
        events = np.zeros(len(numbers), dtype=EVENT_DTYPE)
        events["instruction"] = numbers
        stream = self.stream
        for name, column in (("unit", stream.unit), ("dispatch", self.dispatch), ("end", self.end)):
            events[name] = [column[i] for i in numbers]
        events["start"] = [self.start[i] for i in numbers]
        events["busy_end"] = [self.start[i] + stream.occupancy[i] for i in numbers]
        for column in (*self._columns, self._dispatch, self._start, self._end):
            for i in numbers:
                del column[i]
        self._settled = end
        known = 3 * (len(self.swaps) // 2)  # tiles that have been swapped in: they are, in their order
        shifts = shift_records(self.shifts[:known], self.swaps)
        self.swaps.clear()
        del self.shifts[:known]
        stalls = stall_records(self.stalls)
        for flat in self.stalls:
            flat.clear()
        self._sink(events, shifts, stalls)


def simulate_parts(machine: SystolicMachine, parts: Iterable[Records], sink: Sink) -> int:
    """Runs a Program to the end of its HALT; its cycles. ``sink`` is given what a Trace would hold.

    Raises:
        ProgramError: HALT is missing or ends before another instruction has ended.
        DeadlockError: no unit can make progress; says who waits for what.
    """
    clock = Clock()
    stream = _Stream(machine, parts)
    recorder = _Recorder(stream, clock, sink)
    run(clock, machine, recorder)
    recorder.give_rest()
    return clock.now
