"""Records what happens while it happens: dispatches, starts, ends, weight tiles, and every wait with its
reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.isa import UNIT_NAMES, UnitId
from simulator.systolic.stream import Column, InstructionStream
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, Columns, Trace

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
        # Flat, because a Trace has hundreds of thousands: WLOAD, start, end; the fields of STALL_DTYPE.
        self._shifts: list[int] = []
        self._swaps: dict[int, int] = {}  # WLOAD -> MATMUL
        self._stalls: list[int] = []

    def stall(
        self, unit: int, start: int, end: int, reason: int, instruction: int, cause: int, cause_unit: int
    ) -> None:
        """A unit has waited in [start, end)."""
        self._stalls += (unit, start, end, reason, instruction, cause, cause_unit)

    def shift(self, wload: int, start: int, end: int) -> None:
        """A tile's lines enter the array in [start, end)."""
        self._shifts += (wload, start, end)

    def swap(self, wload: int, matmul: int) -> None:
        """A MATMUL makes a tile the active one."""
        self._swaps[wload] = matmul

    def check_complete(self, cycles: int) -> None:
        """HALT is the last thing to happen.

        Raises:
            ProgramError: something is under way when HALT ends.
        """
        stream, ends = self.stream, np.array(self.end)
        late = (ends == UNKNOWN) | (ends > cycles)
        if late.any():
            i = int(np.argmax(late))
            unit = UNIT_NAMES[UnitId(stream.unit[i])]
            raise ProgramError(
                f"HALT ends in cycle {cycles} before {stream.name(i)} of {unit} has ended: "
                "HALT has to wait for the last instruction of every unit"
            )
        wloads, _, ends = self._shift_columns()
        if len(ends) and ends[-1] > cycles:
            wload = int(wloads[np.argmax(ends > cycles)])
            raise ProgramError(
                f"HALT ends in cycle {cycles} while the weights of {stream.name(wload)} enter the array: "
                "no MATMUL uses them"
            )

    def _shift_columns(self) -> npt.NDArray[np.int64]:
        return np.array(self._shifts, dtype=np.int64).reshape(-1, 3).T

    def trace(self, cycles: int, clock_mhz: float) -> Trace:
        """Everything recorded; stalls are ordered by unit and start."""
        events = np.zeros(self.stream.halt + 1, dtype=EVENT_DTYPE)
        events["instruction"] = np.arange(len(events))
        events["unit"] = self.stream.unit
        events["dispatch"] = self.dispatch
        events["start"] = self.start
        events["busy_end"] = events["start"] + np.array(self.stream.occupancy)
        events["end"] = self.end
        shifts, stalls = shift_records(self._shifts, self._swaps), stall_records(self._stalls)
        stalls = stalls[np.lexsort((stalls["start"], stalls["unit"]))]  # a unit waits once at a time
        return Trace(events, shifts, stalls, cycles, ENGINE, clock_mhz)


def shift_records(flat: list[int], swaps: dict[int, int]) -> Columns:
    """SHIFT_DTYPE from WLOAD, start, end of each tile and the MATMULs that swap them in."""
    wloads, starts, ends = np.array(flat, dtype=np.int64).reshape(-1, 3).T
    shifts = np.zeros(len(wloads), dtype=SHIFT_DTYPE)
    shifts["wload"], shifts["start"], shifts["end"] = wloads, starts, ends
    shifts["matmul"] = [swaps.get(wload, UNKNOWN) for wload in wloads.tolist()]
    return shifts


def stall_records(flat: list[int]) -> Columns:
    """STALL_DTYPE from the fields of each wait."""
    fields = STALL_DTYPE.names or ()
    columns = np.array(flat, dtype=np.int64).reshape(-1, len(fields))
    stalls = np.zeros(len(columns), dtype=STALL_DTYPE)
    for field, column in zip(fields, columns.T, strict=True):
        stalls[field] = column
    return stalls
