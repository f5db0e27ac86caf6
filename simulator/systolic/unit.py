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
from collections.abc import Sequence
from typing import Final, cast, final

from simpy.events import NORMAL, Event

from simulator.systolic.clock import Alarm, Clock, Waits, Wakeup
from simulator.systolic.queues import InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter
from simulator.trace import Stall

DISPATCH: Final = REASON_CODE[Stall.DISPATCH]
FINISHED: Final = REASON_CODE[Stall.FINISHED]

Tokens = Sequence[Counter]  # one per producer, in the order of the units


# Something an instruction waits for: the cycle in which it is met, and what the wait is charged to (reason,
# cause, unit of the cause).
Condition = tuple[int, int, int, int]


def met_last(needs: Sequence[Counter], since: int, own: Condition | None = None) -> Condition | None:
    """The condition that is met last, if that is after ``since``; each counter has a post.

    Of those met in the same cycle the first is charged, so ``needs`` are in the order of ``Stall``. ``own``
    is the unit's own condition, the last in that order.
    """
    met, last = since, None
    for counter in needs:
        usable = counter.posts[0][0]
        if usable > met:
            met, last = usable, counter
    if own is not None and own[0] > met:
        return own
    return None if last is None else (met, last.reason, last.posts[0][1], last.provider)


class Unit(ABC):
    """A process that is busy, or waits for a reason that it records."""

    def __init__(self, clock: Clock, recorder: Recorder, unit: int) -> None:
        self.clock: Final = clock
        self.recorder: Final = recorder
        self.unit: Final = unit
        self.free = 0  # the unit is idle from this cycle on, or busy until it
        self.blocked: Counter | None = None  # the counter it waits for, if nothing else will wake it
        self.waiting = NOBODY  # the instruction that waits
        self._nap = Wakeup(clock)

    @abstractmethod
    def run(self) -> Waits:
        """The process."""

    @final
    def sleep(self, cycles: int) -> Wakeup:
        """To be yielded by the process: go on in ``cycles`` cycles."""
        self.clock.schedule(self._nap, NORMAL, cycles)
        return self._nap.again()

    def finish(self, cycles: int, halt: int, sequencer: int) -> None:
        """HALT has executed and nothing was left for this unit since it became free."""
        if self.free < cycles:
            self.recorder.stall(self.unit, self.free, cycles, FINISHED, NOBODY, halt, sequencer)


class Completions:
    """Retires the instructions of one unit in order; posts their tokens in the cycle in which they end."""

    __slots__ = ("_clock", "_consumers", "_end", "_last", "_post", "_start")

    def __init__(self, clock: Clock, recorder: Recorder, consumers: Sequence[Counter]) -> None:
        self._clock = clock
        self._start, self._end = recorder.start, recorder.end
        self._post = recorder.stream.post
        self._consumers = Choices(consumers)
        self._last = 0

    def issued(self, instruction: int, latency: int) -> int:
        """An instruction starts in this cycle; its end."""
        now = self._clock.now
        end = now + latency
        if end <= self._last:
            end = self._last + 1
        self._start[instruction] = now
        self._end[instruction] = self._last = end
        if self._post[instruction]:
            self._clock.schedule(Alarm(self._clock, self._retire, instruction), NORMAL, end - now)
        return end

    def _retire(self, event: Event) -> None:
        instruction = cast(int, event.value)
        now = self._clock.now
        for counter in self._consumers[self._post[instruction]]:
            counter.post(instruction, now)


def chosen(mask: int, counters: Sequence[Counter]) -> tuple[Counter, ...]:
    """The counters of the units named in a mask."""
    return tuple(counter for unit, counter in enumerate(counters) if mask >> unit & 1)


@final
class Choices(dict[int, tuple[Counter, ...]]):
    """``chosen`` by mask, worked out when it is asked for first."""

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters

    def __missing__(self, mask: int) -> tuple[Counter, ...]:
        found = self[mask] = chosen(mask, self._counters)
        return found


class IssueUnit(Unit):
    """A unit behind an instruction queue."""

    def __init__(
        self,
        clock: Clock,
        recorder: Recorder,
        queue: InstructionQueue,
        tokens: Tokens,
        completions: Completions,
    ) -> None:
        super().__init__(clock, recorder, queue.unit)
        self.queue: Final = queue
        self.completions: Final = completions
        self._tokens = Choices(tokens)

    def needs(self, instruction: int) -> tuple[Counter, ...]:
        """Counters beyond tokens that the instruction takes from."""
        return ()

    def own_condition(self, instruction: int) -> Condition | None:
        """What the unit's earlier instructions impose, beyond being busy."""
        return None

    def issue(self, instruction: int, end: int) -> None:
        """The instruction starts in this cycle: take and post what the unit's own counters hold."""

    @final
    def run(self) -> Waits:
        """Issue what the queue holds, in order, for ever."""
        clock, queue, stream = self.clock, self.queue, self.recorder.stream
        items, stall = queue.items, self.recorder.stall
        wait, occupancy, latency = stream.wait, stream.occupancy, stream.latency
        own_needs, own_condition, issue = self.needs, self.own_condition, self.issue
        tokens_of, issued = self._tokens, self.completions.issued
        while True:
            # The unit may still be busy while the next instruction's conditions are met: it sleeps once.
            if not items.posts:
                self.blocked = items
                yield items.wait()
            visible, i = items.posts[0]
            since = self.free
            if visible > since:
                self._record_empty(since, visible)
                since = visible

            self.waiting = i
            tokens = tokens_of[wait[i]]
            needs = tokens + own_needs(i)
            for counter in needs:
                if not counter.posts:
                    self.blocked = counter
                    yield counter.wait()
            charge = met_last(needs, since, own_condition(i))
            start = since if charge is None else charge[0]
            if start > clock.now:
                yield self.sleep(start - clock.now)
            if charge is not None:
                stall(self.unit, since, start, charge[1], i, charge[2], charge[3])

            for counter in tokens:
                counter.posts.popleft()
            queue.pop()
            issue(i, issued(i, latency[i]))
            self.free = start + occupancy[i]

    def _record_empty(self, free: int, visible: int) -> None:
        until, cause_unit, cause = self.queue.held_back[0]
        if until <= free:
            cause, cause_unit = NOBODY, self.queue.items.provider
        self.recorder.stall(self.unit, free, visible, DISPATCH, NOBODY, cause, cause_unit)
