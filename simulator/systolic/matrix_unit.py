"""The matrix unit: streams rows through the systolic array (MATMUL) and shifts output-stationary sums out
(DRAIN).

Latency: MATMUL of M rows, weight- or input-stationary: ``operand + M - 1 + result + adder`` cycles;
output-stationary of K steps: ``operand + K pe + corner``; DRAIN ``rows - 1 + adder``. All from
``simulator.timing``.
Throughput: one row a cycle (one k every ``pe_latency`` cycles, output-stationary); the next MATMUL's first
row follows the last row of this one without a gap, with new weights too: a swap bit travels with the tile's
first row.
Handshake: a MATMUL that swaps waits for the weights to be in place. One that accumulates starts at least
``adder`` cycles after the MATMUL before it, so that a line of the accumulators is written before it is read
again. DRAIN waits until every MATMUL before it has ended, and nothing else runs in the array meanwhile. The
shifter is told when the weight registers can be loaded again: by the MATMUL that swaps (two weight buffers
with overlap), else by the one flagged RELEASE.
"""

from __future__ import annotations

from typing import Final, final

from simulator.isa import Flag, Opcode
from simulator.machines.systolic import SystolicMachine
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter
from simulator.systolic.unit import Condition, IssueUnit, Ports
from simulator.timing import array_times, releases_at_swap, weight_release
from simulator.trace import Stall

ACCUMULATE: Final = REASON_CODE[Stall.ACCUMULATE]
ARRAY: Final = REASON_CODE[Stall.ARRAY]
MATMUL: Final = int(Opcode.MATMUL)
SWAP: Final = int(Flag.SWAP)


@final
class Releases(dict[int, int]):
    """By the rows of a releasing MATMUL: cycles from its issue until the shifter can go on."""

    def __init__(self, machine: SystolicMachine) -> None:
        self._machine = machine

    def __missing__(self, rows: int) -> int:
        # The shifter works ahead of the array by the operand's way to it.
        found = self[rows] = weight_release(self._machine, rows) - array_times(self._machine).operand
        return found


@final
class MatrixUnit(IssueUnit):
    """Executes MATMUL and DRAIN."""

    def __init__(self, ports: Ports, machine: SystolicMachine, in_place: Counter, released: Counter) -> None:
        super().__init__(ports, in_place)
        self._array = array_times(machine)
        self._adding = int(Flag.ACCUMULATE) if machine.matrix_unit.dataflow != "os" else 0
        self._releasing = int(Flag.SWAP if releases_at_swap(machine) else Flag.RELEASE)
        stream = self.recorder.stream
        self._opcode, self._flags, self._rows = stream.opcode, stream.flags, stream.rows
        self._in_place = in_place
        self._released = released
        self._release = Releases(machine)
        self._swaps = self.recorder.swaps
        self._last = NOBODY  # the previous MATMUL
        self._last_start = 0
        self._last_end = 0

    def condition(self, instruction: int) -> Condition | None:
        if self._last == NOBODY:
            return None
        if self._opcode[instruction] != MATMUL:
            return self._last_end, ARRAY, self._last, self.unit
        if self._flags[instruction] & self._adding:
            return self._last_start + self._array.accumulate, ACCUMULATE, self._last, self.unit
        return None

    def issue(self, instruction: int, start: int, end: int) -> None:
        if self._opcode[instruction] != MATMUL:
            return
        flags = self._flags[instruction]
        self._last, self._last_start, self._last_end = instruction, start, end
        if flags & SWAP:
            self._swaps += (self._in_place.posts[0][1], instruction)
        if flags & self._releasing:
            self._released.post((start + self._release[self._rows[instruction]], instruction))
