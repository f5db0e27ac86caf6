"""Records what happens while it happens: dispatches, starts, ends, weight tiles, and every wait with its
reason."""

from __future__ import annotations

from typing import final

import numpy as np

from simulator.errors import ProgramError
from simulator.isa import UNIT_NAMES, UnitId
from simulator.systolic.stream import InstructionStream
from simulator.trace import EVENT_DTYPE, SHIFT_DTYPE, STALL_DTYPE, Trace

UNKNOWN = -1  # not dispatched, not started, never swapped in


@final
class Recorder:
    """Lists that the units write; ``trace`` turns them into a Trace, in an order that no tie can change."""

    def __init__(self, stream: InstructionStream) -> None:
        n = len(stream)
        self.stream = stream
        self.dispatch = [UNKNOWN] * n
        self.start = [UNKNOWN] * n
        self.end = [UNKNOWN] * n
        self._shifts: dict[int, list[int]] = {}  # WLOAD -> [start, end, MATMUL], in the order of the tiles
        self._stalls: list[tuple[int, int, int, int, int, int, int]] = []

    def stall(
        self, unit: int, start: int, end: int, reason: int, instruction: int, cause: int, cause_unit: int
    ) -> None:
        """A unit has waited in [start, end)."""
        self._stalls.append((unit, start, end, reason, instruction, cause, cause_unit))

    def shift(self, wload: int, start: int, end: int) -> None:
        """A tile's lines enter the array in [start, end)."""
        self._shifts[wload] = [start, end, UNKNOWN]

    def swap(self, wload: int, matmul: int) -> None:
        """A MATMUL makes a tile the active one."""
        self._shifts[wload][2] = matmul

    def check_complete(self, cycles: int) -> None:
        """HALT is the last thing to happen.

        Raises:
            ProgramError: something is under way when HALT ends.
        """
        stream = self.stream
        for i, end in enumerate(self.end):
            if end == UNKNOWN or end > cycles:
                unit = UNIT_NAMES[UnitId(stream.unit[i])]
                raise ProgramError(
                    f"HALT ends in cycle {cycles} before {stream.name(i)} of {unit} has ended: "
                    "HALT has to wait for the last instruction of every unit"
                )
        for wload, (_, end, _) in self._shifts.items():
            if end > cycles:
                raise ProgramError(
                    f"HALT ends in cycle {cycles} while the weights of {stream.name(wload)} enter the array: "
                    "no MATMUL uses them"
                )

    def trace(self, cycles: int, clock_mhz: float) -> Trace:
        """Everything recorded; stalls are ordered by unit and start."""
        events = np.zeros(len(self.stream), dtype=EVENT_DTYPE)
        events["instruction"] = np.arange(len(self.stream))
        events["unit"] = self.stream.unit
        events["dispatch"] = self.dispatch
        events["start"] = self.start
        events["busy_end"] = events["start"] + np.array(self.stream.occupancy)
        events["end"] = self.end
        shifts = np.array(
            [(wload, matmul, start, end) for wload, (start, end, matmul) in self._shifts.items()],
            dtype=SHIFT_DTYPE,
        )
        stalls = np.array(sorted(self._stalls), dtype=STALL_DTYPE)
        return Trace(events, shifts, stalls, cycles, "event", clock_mhz)
