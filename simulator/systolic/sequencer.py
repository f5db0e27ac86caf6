"""The sequencer: dispatches the Program in order, executes HALT.

Latency: an instruction dispatched in cycle d is visible at its unit, and can issue, in cycle d + 1.
Throughput: one instruction per cycle.
Handshake: dispatch in the first cycle in which the queue of the instruction's unit has room; an issue in
cycle s makes room for a dispatch in cycle s + 1. Nothing overtakes: an instruction without room holds back
all that follow.
HALT is dispatched into the sequencer itself, waits for its tokens and takes one cycle; its end is the end
of the run.

In this model a dispatch is a dated post, so the process runs ahead, one cycle per instruction, as far as it
knows of room; it waits for nothing else.

In the account the sequencer is busy in the cycle of each dispatch and while HALT executes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from simulator.isa import UnitId
from simulator.systolic.clock import Clock, Waits
from simulator.systolic.queues import NEVER, InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.unit import Completions, Tokens, Unit, chosen, met_last
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
        clock, stream, queues = self.clock, self.recorder.stream, self._queues
        unit_of, dispatch, stall = stream.unit, self.recorder.dispatch, self.recorder.stall
        held_back = NEVER
        for i in stream.before_halt():
            queue = queues[unit_of[i]]
            room = queue.room
            self.waiting = i
            if not room.posts:
                self.blocked = room
                yield room.wait()
            usable, issued = room.posts[0]
            since = self.free
            ready = usable if usable > since else since
            if usable > since:
                held_back = usable, queue.unit, issued
                stall(self.unit, since, usable, room.reason, i, issued, queue.unit)
            dispatch[i] = ready
            queue.push(i, ready, held_back)
            self.free = ready + 1

        if self.free > clock.now:
            yield self.sleep(self.free - clock.now)
        halt = stream.halt
        dispatch[halt] = clock.now
        yield from self._halt(halt)

    def _halt(self, halt: int) -> Waits:
        clock, stream = self.clock, self.recorder.stream
        self.waiting = halt
        yield self.sleep(DISPATCH_TO_ISSUE)
        since = clock.now
        tokens = chosen(stream.wait[halt], self._tokens)
        for counter in tokens:
            if not counter.posts:
                self.blocked = counter
                yield counter.wait()
        charge = met_last(tokens, since)
        if charge is not None:
            met, reason, cause, cause_unit = charge
            self.recorder.stall(self.unit, since, met, reason, halt, cause, cause_unit)
        for counter in tokens:
            counter.posts.popleft()
        end = self._completions.issued(halt, stream.latency[halt])
        yield self.sleep(end - clock.now)
        self.free = end
