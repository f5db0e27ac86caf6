"""The weight shifter: moves tiles from the weight FIFO into the array's shadow registers, one line a cycle.

Latency: it decides to shift a tile ``operand`` cycles (the unified buffer's latency) before the first line
enters row 0 of column 0, just as a MATMUL issues ``operand`` cycles before its first row enters. So both
work in the same time, and a MATMUL may issue before the lines it needs have entered, never before the
shifter has decided.
Throughput: ``rows`` lines per tile, one a cycle, tiles back to back while the registers are released in
time.
Handshake: takes a tile when all its lines are in the FIFO (or will be when they are needed) and the weight
registers are released by the MATMUL that ``simulator.timing`` names; the slot is free when the last line
has entered the array. The matrix unit is told at the decision; the weights are in place for a MATMUL
``weights_before_rows`` cycles later.
"""

from __future__ import annotations

from typing import final

from simulator.machines.systolic import SystolicMachine
from simulator.systolic.clock import Clock, Waits
from simulator.systolic.queues import RegisteredFifo
from simulator.systolic.recorder import Recorder
from simulator.systolic.tokens import NOBODY, Counter
from simulator.systolic.unit import Unit
from simulator.timing import array_times
from simulator.trace import WEIGHT_SHIFTER


@final
class WeightShifter(Unit):
    """Executes no instructions: it follows the FIFO's tiles and the matrix unit's releases."""

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        machine: SystolicMachine,
        fifo: RegisteredFifo,
        released: Counter,
        in_place: Counter,
    ) -> None:
        super().__init__(clock, recorder, WEIGHT_SHIFTER)
        self._array = array_times(machine)
        # Neither the shifter nor the matrix unit acts on what the other has not decided yet.
        assert min(self._array.weights_before_rows, self._array.rows_before_weights) >= 0
        self._fifo = fifo
        self._released = released
        self._in_place = in_place

    def run(self) -> Waits:
        clock, tiles, released = self.clock, self._fifo.items, self._released
        ahead, lines = self._array.operand, self._array.weight_lines
        before_rows = self._array.weights_before_rows
        stalls, shifts = self.recorder.stalls[self.unit], self.recorder.shifts
        while True:
            decision, last = self.free - ahead, None
            for counter in (tiles, released):
                if not counter.posts:
                    yield self.next_of(counter, NOBODY)
                usable = counter.posts[0][0]
                if usable > decision:
                    decision, last = usable, counter
            if decision > clock.now and not clock.nothing_until(decision):
                yield self.until(decision)
            first = decision + ahead  # the cycle in which the first line enters the array
            _, wload = tiles.posts[0]
            if last is not None:
                self.waiting = wload
                stalls += (self.free, first, last.reason, wload, last.posts[0][1], last.provider)
            tiles.posts.popleft()
            released.posts.popleft()
            self.free = entered = first + lines
            shifts += (wload, first, entered)
            self._in_place.post((decision + before_rows, wload))
            self._fifo.room.post((entered, wload))
