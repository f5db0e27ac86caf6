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
from simulator.systolic.tokens import Counter
from simulator.systolic.unit import Unit, met_last
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
        clock, fifo = self.clock, self._fifo
        ahead, lines = self._array.operand, self._array.weight_lines
        needs = (fifo.items, self._released)
        while True:
            for counter in needs:
                if not counter.posts:
                    self.blocked = counter
                    yield counter.wait()
            charge = met_last(needs, self.free - ahead)
            decision = self.free - ahead if charge is None else charge[0]
            if decision > clock.now:
                yield self.sleep(decision - clock.now)
            _, wload = fifo.items.posts.popleft()
            self._released.posts.popleft()
            first = decision + ahead  # the cycle in which the first line enters the array
            if charge is not None:
                self.waiting = wload
                _, reason, cause, cause_unit = charge
                self.recorder.stall(self.unit, self.free, first, reason, wload, cause, cause_unit)
            self.recorder.shift(wload, first, first + lines)
            self._in_place.post(wload, decision + self._array.weights_before_rows)
            fifo.room.post(wload, first + lines)
            self.free = first + lines
