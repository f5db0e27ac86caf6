"""The sequencer: dispatches the Program in order, executes HALT.

Latency: an instruction dispatched in cycle d is visible at its unit, and can issue, in cycle d + 1.
Throughput: one instruction per cycle.
Handshake: dispatch in the first cycle in which the queue of the instruction's unit has room; an issue in
cycle s makes room for a dispatch in cycle s + 1. Nothing overtakes: an instruction without room holds back
all that follow.
HALT is dispatched into the sequencer itself, waits for its tokens and takes one cycle; its end is the end
of the run.

In the account the sequencer is busy in the cycle of each dispatch and while HALT executes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from simulator.isa import UnitId
from simulator.systolic.clock import Clock, Waits
from simulator.systolic.queues import NEVER, HeldBack, InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.unit import Completions, Condition, Tokens, Unit, chosen
from simulator.timing import DISPATCH_TO_ISSUE


@final
class Sequencer(Unit):
    """The process that all others follow; it ends when HALT has ended."""

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        queues: Mapping[int, InstructionQueue],
        tokens: Tokens,
        completions: Completions,
    ) -> None:
        super().__init__(clock, recorder, UnitId.SEQUENCER)
        self._queues = queues
        self._tokens = tokens
        self._completions = completions

    def run(self) -> Waits:
        clock, unit_of = self.clock, self.recorder.stream.unit
        dispatch = self.recorder.dispatch
        halt = len(dispatch) - 1
        held_back = NEVER
        for i in range(halt):
            queue = self._queues[unit_of[i]]
            room = queue.room
            self.waiting = i
            if not room.posts:
                self.blocked = room
                yield room.wait()
            usable, issued = room.posts[0]
            since, ready = self.free, max(self.free, usable)
            if ready > clock.now:
                yield clock.timeout(ready - clock.now)
            if usable > since:
                held_back = HeldBack(usable, queue.unit, issued)
                self.charge = Condition(usable, room.reason, issued, queue.unit)
                self.record_wait(since, i)
            dispatch[i] = clock.now
            queue.push(i, held_back)
            self.free = clock.now + 1

        if self.free > clock.now:
            yield clock.timeout(self.free - clock.now)
        dispatch[halt] = clock.now
        yield from self._halt(halt)

    def _halt(self, halt: int) -> Waits:
        clock, stream = self.clock, self.recorder.stream
        self.waiting = halt
        yield clock.timeout(DISPATCH_TO_ISSUE)
        since = clock.now
        tokens = chosen(stream.wait[halt], self._tokens)
        yield from self.gather(tokens, since)
        self.record_wait(since, halt)
        for counter in tokens:
            counter.take()
        end = self._completions.issued(halt, stream.latency[halt])
        yield clock.timeout(end - clock.now)
        self.free = end
