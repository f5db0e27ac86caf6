"""What all units share: waiting for counters, charging the wait, issuing in order.

Hardware of an issue unit: an instruction register behind the unit's queue, a busy counter, a completion
tracker.
Latency: an instruction dispatched in cycle d can issue in cycle d + 1; its end is the unit's own matter.
Throughput: the next instruction can issue ``occupancy`` cycles after this one.
Handshake: the head of the queue issues in the first cycle in which the unit is free and every condition
holds (tokens, credits, the unit's own). Nothing is taken before that cycle; then all tokens and credits are
taken at once.
Completions retire in program order, at most one a cycle: ``end[i] = max(start[i] + latency[i], end[i - 1] +
1)``; tokens are posted at ``end``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple, final

from simpy.events import NORMAL

from simulator.isa import UnitId
from simulator.systolic.clock import Clock, Waits, Wakeup
from simulator.systolic.queues import RegisteredFifo
from simulator.systolic.recorder import Recorder
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter, Posted, Taken, Tokens
from simulator.timing import REFILL_AFTER_ISSUE
from simulator.trace import Stall

SEQUENCER: Final = int(UnitId.SEQUENCER)
DISPATCH: Final = REASON_CODE[Stall.DISPATCH]
FINISHED: Final = REASON_CODE[Stall.FINISHED]
COMPLETIONS_APART = 1


# Something an instruction waits for: the cycle in which it is met, and what the wait is charged to (reason,
# cause, unit of the cause).
Condition = tuple[int, int, int, int]


class Unit(ABC):
    """A process that is busy, or waits for a reason that it records."""

    def __init__(self, clock: Clock, recorder: Recorder, unit: int) -> None:
        self.clock: Final = clock
        self.recorder: Final = recorder
        self.unit: Final = int(unit)  # a plain one: an IntEnum is slow to turn into an array
        self.free = 0  # the unit is idle from this cycle on, or busy until it
        self.blocked: Counter | None = None  # the counter it waits for, if nothing else will wake it
        self.waiting = NOBODY  # the instruction that waits
        self._nap = Wakeup(clock)

    @abstractmethod
    def run(self) -> Waits:
        """The process."""

    @final
    def until(self, cycle: int) -> Wakeup:
        """To be yielded by the process: go on in that cycle."""
        self.clock.schedule(self._nap, NORMAL, cycle - self.clock.now)
        self._nap.callbacks = []
        return self._nap

    @final
    def next_of(self, counter: Counter, instruction: int) -> Wakeup:
        """To be yielded by the process, while a counter has no post: go on when the next one is usable."""
        self.blocked, self.waiting = counter, instruction
        counter.waiting = nap = self._nap
        nap.callbacks = []
        return nap

    def finish(self, cycles: int, halt: int, sequencer: int) -> None:
        """HALT has executed and nothing was left for this unit since it became free."""
        if self.free < cycles:
            self.recorder.stalls[self.unit] += (self.free, cycles, FINISHED, NOBODY, halt, sequencer)


class Ports(NamedTuple):
    """What every issue unit is connected to."""

    clock: Clock
    recorder: Recorder
    unit: int
    queue: RegisteredFifo
    tokens: Tokens


class IssueUnit(Unit):
    """A unit behind an instruction queue. ``own``: the counter beside tokens that some instructions take
    from."""

    def __init__(self, ports: Ports, own: Counter | None = None) -> None:
        clock, recorder, unit, queue, tokens = ports
        super().__init__(clock, recorder, unit)
        self._queue: Final = queue
        self._taken: Final = Taken(tokens, unit, own)
        self._posted: Final = Posted(tokens, unit)

    def condition(self, instruction: int) -> Condition | None:
        """What the unit's earlier instructions impose on this one, beyond being busy."""
        return None

    def issue(self, instruction: int, start: int, end: int) -> None:
        """The instruction starts: post, and look at, what the unit's own counters hold."""

    @final
    def run(self) -> Waits:
        """Issue what the queue holds, in order, for ever."""
        clock, queue, stream = self.clock, self._queue, self.recorder.stream
        items, room, stalls = queue.items, queue.room, self.recorder.stalls[self.unit]
        waiting, freed = items.posts, room.posts
        takes, occupancy, latency = stream.takes, stream.occupancy, stream.latency
        post, start_of, end_of = stream.post, self.recorder.start, self.recorder.end
        taken, posted = self._taken, self._posted
        # Most units have none of these.
        condition = None if type(self).condition is IssueUnit.condition else self.condition
        issue = None if type(self).issue is IssueUnit.issue else self.issue
        free = ended = 0
        while True:
            # The unit may still be busy while the next instruction's conditions are met: it sleeps once.
            if not waiting:
                yield self.next_of(items, NOBODY)
            visible, i, held_until, held_unit, held = waiting[0]
            since = free
            if visible > since:
                if held_until <= since:
                    held_unit, held = SEQUENCER, NOBODY
                stalls += (since, visible, DISPATCH, NOBODY, held, held_unit)
                since = visible

            # The condition that is met last is charged. Of those met in the same cycle it is the first: what
            # an instruction needs is in the order of ``Stall``.
            start, last = since, None
            needs = taken[takes[i]]
            for counter in needs:
                posts = counter.posts
                if not posts:
                    yield self.next_of(counter, i)
                usable = posts[0][0]
                if usable > start:
                    start, last = usable, counter
            own = None if condition is None else condition(i)
            if own is not None and own[0] > start:
                start = own[0]
                stalls += (since, start, own[1], i, own[2], own[3])
            elif last is not None:
                stalls += (since, start, last.reason, i, last.posts[0][1], last.provider)
            if start > clock.now and not clock.nothing_until(start):
                yield self.until(start)

            end = start + latency[i]
            if end < ended + COMPLETIONS_APART:
                end = ended + COMPLETIONS_APART
            start_of[i], end_of[i] = start, end
            ended = end
            if post[i]:
                for counter in posted[post[i]]:
                    counter.post((end, i))
            if issue is not None:
                issue(i, start, end)
            for counter in needs:
                counter.posts.popleft()
            waiting.popleft()
            freed.append((start + REFILL_AFTER_ISSUE, i))
            if room.waiting is not None:
                room.wake()
            self.free = free = start + occupancy[i]
