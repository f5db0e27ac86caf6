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
from simulator.systolic.clock import Clock
from simulator.systolic.queues import InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter
from simulator.systolic.unit import Completions, Condition, IssueUnit, Tokens
from simulator.timing import array_times, releases_at_swap, weight_release
from simulator.trace import Stall

ACCUMULATE: Final = REASON_CODE[Stall.ACCUMULATE]
ARRAY: Final = REASON_CODE[Stall.ARRAY]
MATMUL: Final = int(Opcode.MATMUL)
SWAP: Final = int(Flag.SWAP)
ADD: Final = int(Flag.ACCUMULATE)


@final
class MatrixUnit(IssueUnit):
    """Executes MATMUL and DRAIN."""

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        queue: InstructionQueue,
        tokens: Tokens,
        completions: Completions,
        machine: SystolicMachine,
        in_place: Counter,
        released: Counter,
    ) -> None:
        super().__init__(clock, recorder, queue, tokens, completions)
        self._machine = machine
        self._array = array_times(machine)
        self._adds_in_accumulators = machine.matrix_unit.dataflow != "os"
        self._releasing = int(Flag.SWAP if releases_at_swap(machine) else Flag.RELEASE)
        stream = recorder.stream
        self._opcode, self._flags, self._rows = stream.opcode, stream.flags, stream.rows
        self._weights = (in_place,)
        self._released = released
        self._ahead: dict[int, int] = {}  # rows of a releasing MATMUL -> to when the shifter can go on
        self._last = NOBODY  # the previous MATMUL
        self._last_start = 0
        self._last_end = 0

    def needs(self, instruction: int) -> tuple[Counter, ...]:
        if self._flags[instruction] & SWAP and self._opcode[instruction] == MATMUL:
            return self._weights
        return ()

    def own_condition(self, instruction: int) -> Condition | None:
        if self._last == NOBODY:
            return None
        if self._opcode[instruction] != MATMUL:
            return self._last_end, ARRAY, self._last, self.unit
        if self._adds_in_accumulators and self._flags[instruction] & ADD:
            return self._last_start + self._array.accumulate, ACCUMULATE, self._last, self.unit
        return None

    def issue(self, instruction: int, end: int) -> None:
        if self._opcode[instruction] != MATMUL:
            return
        now, flags = self.clock.now, self._flags[instruction]
        self._last, self._last_start, self._last_end = instruction, now, end
        if flags & SWAP:
            _, wload = self._weights[0].posts.popleft()
            self.recorder.swap(wload, instruction)
        if flags & self._releasing:
            rows = self._rows[instruction]
            if rows not in self._ahead:
                # The shifter works ahead of the array by the operand's way to it.
                self._ahead[rows] = weight_release(self._machine, rows) - self._array.operand
            self._released.post(instruction, now + self._ahead[rows])
