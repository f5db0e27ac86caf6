"""Records what happens while it happens: dispatches, starts, ends, weight tiles, and every wait with its
reason."""

from __future__ import annotations

from bisect import bisect_right
from itertools import chain

import numpy as np

from simulator.errors import ProgramError
from simulator.isa import UNIT_NAMES, UnitId
from simulator.systolic.stream import Column, InstructionStream
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, TRACE_UNITS, Columns, Trace

ENGINE = "event"
UNKNOWN = -1  # not dispatched, not started, never swapped in


class Recorder:
    """Lists that the units write; ``trace`` turns them into a Trace, in an order that no tie can change."""

    def __init__(self, stream: InstructionStream) -> None:
        n = stream.halt + 1
        self.stream = stream
        self.dispatch: Column = [UNKNOWN] * n
        self.start: Column = [UNKNOWN] * n
        self.end: Column = [UNKNOWN] * n
        # Flat, because a Trace has hundreds of thousands: WLOAD, start, end of its lines' way into the array;
        # WLOAD and the MATMUL that makes its tile the active one; the fields of STALL_DTYPE but for the unit.
        self.shifts: list[int] = []
        self.swaps: list[int] = []
        self.stalls: list[list[int]] = [[] for _ in TRACE_UNITS]  # by unit

    def check_complete(self, cycles: int) -> None:
        """HALT is the last thing to happen.

        Raises:
            ProgramError: something is under way when HALT ends.
        """
        stream, ends = self.stream, list(self.end)
        if min(ends) == UNKNOWN or max(ends) > cycles:
            i = next(i for i, end in enumerate(ends) if end == UNKNOWN or end > cycles)
            unit = UNIT_NAMES[UnitId(stream.unit[i])]
            raise ProgramError(
                f"HALT ends in cycle {cycles} before {stream.name(i)} of {unit} has ended: "
                "HALT has to wait for the last instruction of every unit"
            )
        if self.shifts and self.shifts[-1] > cycles:
            wload = self.shifts[3 * bisect_right(self.shifts[2::3], cycles)]  # the first that ends later
            raise ProgramError(
                f"HALT ends in cycle {cycles} while the weights of {stream.name(wload)} enter the array: "
                "no MATMUL uses them"
            )

    def trace(self, cycles: int, clock_mhz: float) -> Trace:
        """Everything recorded; stalls are ordered by unit and start."""
        events = np.empty(self.stream.halt + 1, dtype=EVENT_DTYPE)
        events["instruction"] = np.arange(len(events))
        events["unit"] = self.stream.unit
        events["dispatch"] = self.dispatch
        events["start"] = self.start
        events["busy_end"] = events["start"] + np.array(self.stream.occupancy)
        events["end"] = self.end
        shifts, stalls = shift_records(self.shifts, self.swaps), stall_records(self.stalls)
        return Trace(events, shifts, stalls, cycles, ENGINE, clock_mhz)


def shift_records(flat: list[int], swaps: list[int]) -> Columns:
    """SHIFT_DTYPE from WLOAD, start, end of each tile, and WLOAD and MATMUL of those that were swapped in."""
    shifts = np.empty(len(flat) // 3, dtype=SHIFT_DTYPE)
    shifts["wload"], shifts["start"], shifts["end"] = np.array(flat, dtype=np.int64).reshape(-1, 3).T
    wloads, matmuls = np.array(swaps, dtype=np.int64).reshape(-1, 2).T
    shifts["matmul"] = UNKNOWN
    shifts["matmul"][np.searchsorted(shifts["wload"], wloads)] = matmuls  # WLOADs are in order
    return shifts


def stall_records(by_unit: list[list[int]]) -> Columns:
    """STALL_DTYPE from the other fields of each unit's waits, which stay in their order."""
    fields = (STALL_DTYPE.names or ())[1:]
    counts = [len(flat) // len(fields) for flat in by_unit]
    columns = np.array(list(chain.from_iterable(by_unit)), dtype=np.int64).reshape(-1, len(fields))
    stalls = np.empty(len(columns), dtype=STALL_DTYPE)
    stalls["unit"] = np.repeat(np.arange(len(counts)), counts)
    for field, column in zip(fields, columns.T, strict=True):
        stalls[field] = column
    return stalls
