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
from simulator.systolic.queues import RegisteredFifo
from simulator.systolic.recorder import Recorder
from simulator.systolic.tokens import NOBODY, Taken, Tokens
from simulator.systolic.unit import Unit
from simulator.timing import DISPATCH_TO_ISSUE


@final
class Sequencer(Unit):
    """The process that all others follow; it ends when HALT has ended."""

    def __init__(
        self, clock: Clock, recorder: Recorder, queues: Mapping[int, RegisteredFifo], tokens: Tokens
    ) -> None:
        super().__init__(clock, recorder, UnitId.SEQUENCER)
        self._queues = queues
        self._taken = Taken(tokens, UnitId.SEQUENCER)

    def run(self) -> Waits:
        queues, stream = self._queues, self.recorder.stream
        unit_of, dispatch, stalls = stream.unit, self.recorder.dispatch, self.recorder.stalls[self.unit]
        free = 0
        held_until, held_unit, held = 0, 0, NOBODY  # the latest wait for room
        for i in stream.before_halt():
            unit = unit_of[i]
            queue = queues[unit]
            room = queue.room
            if not room.posts:
                yield self.next_of(room, i)
            usable, issued = room.posts.popleft()
            if usable > free:
                stalls += (free, usable, room.reason, i, issued, unit)
                held_until, held_unit, held = usable, unit, issued
                free = usable
            dispatch[i] = free
            items = queue.items
            items.posts.append((free + DISPATCH_TO_ISSUE, i, held_until, held_unit, held))
            if items.waiting is not None:
                items.wake()
            free += 1

        dispatch[stream.halt] = free
        yield self.until(free + DISPATCH_TO_ISSUE)
        yield from self._halt(free + DISPATCH_TO_ISSUE)

    def _halt(self, since: int) -> Waits:
        stream = self.recorder.stream
        halt, start, last = stream.halt, since, None
        needs = self._taken[stream.takes[halt]]
        for counter in needs:
            if not counter.posts:
                yield self.next_of(counter, halt)
            if counter.posts[0][0] > start:
                start, last = counter.posts[0][0], counter
        if last is not None:
            cause = last.posts[0][1]
            self.recorder.stalls[self.unit] += (since, start, last.reason, halt, cause, last.provider)
        for counter in needs:
            counter.posts.popleft()
        self.free = start + stream.latency[halt]
        self.recorder.start[halt], self.recorder.end[halt] = start, self.free
        yield self.until(self.free)
