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
from typing import Final, NamedTuple, cast, final

from simpy.events import Event

from simulator.systolic.clock import Clock, Waits
from simulator.systolic.queues import InstructionQueue
from simulator.systolic.recorder import Recorder
from simulator.systolic.stream import MASKS
from simulator.systolic.tokens import NOBODY, REASON_CODE, Counter
from simulator.trace import Stall

DISPATCH: Final = REASON_CODE[Stall.DISPATCH]
FINISHED: Final = REASON_CODE[Stall.FINISHED]

Tokens = Sequence[Counter]  # one per producer, in the order of the units


class Condition(NamedTuple):
    """Something an instruction waits for: met in cycle ``met``, charged to the other three."""

    met: int
    reason: int
    cause: int
    cause_unit: int


class Unit(ABC):
    """A process that is busy, or waits for a reason that it records."""

    met: int  # ``gather``: the cycle in which the last condition is met
    charge: Condition | None  # ``gather``: that condition, if the unit has to wait

    def __init__(self, clock: Clock, recorder: Recorder, unit: int) -> None:
        self.clock: Final = clock
        self.recorder: Final = recorder
        self.unit: Final = unit
        self.free = 0  # the unit is idle from this cycle on, or busy until it
        self.blocked: Counter | None = None  # the counter it waits for, if nothing else will wake it
        self.waiting = NOBODY  # the instruction that waits

    @abstractmethod
    def run(self) -> Waits:
        """The process."""

    @final
    def gather(self, needs: Sequence[Counter], since: int, own: Condition | None = None) -> Waits:
        """Wait until it is known when all conditions are met: ``met``, at least ``since``, and ``charge``.

        Charged is the one met last; of those met in the same cycle the first, so ``needs`` are in the order
        of ``Stall``. ``own`` is the unit's own condition, the last in that order.
        """
        self.met, self.charge = since, None
        for counter in needs:
            if not counter.posts:
                self.blocked = counter
                yield counter.wait()
            usable, cause = counter.posts[0]
            if usable > self.met:
                self.met, self.charge = usable, Condition(usable, counter.reason, cause, counter.provider)
        if own is not None and own.met > self.met:
            self.met, self.charge = own.met, own

    @final
    def record_wait(self, start: int, instruction: int) -> None:
        """Record [start, met), charged to what was met last."""
        charge = self.charge
        if charge is not None:
            self.recorder.stall(
                self.unit, start, charge.met, charge.reason, instruction, charge.cause, charge.cause_unit
            )

    def finish(self, cycles: int, halt: int, sequencer: int) -> None:
        """HALT has executed and nothing was left for this unit since it became free."""
        if self.free < cycles:
            self.recorder.stall(self.unit, self.free, cycles, FINISHED, NOBODY, halt, sequencer)


class Completions:
    """Retires the instructions of one unit in order; posts their tokens in the cycle in which they end."""

    __slots__ = ("_clock", "_consumers", "_last", "_post", "_recorder")

    def __init__(self, clock: Clock, recorder: Recorder, consumers: Sequence[Counter]) -> None:
        self._clock = clock
        self._recorder = recorder
        self._post = recorder.stream.post
        self._consumers = [chosen(mask, consumers) for mask in range(MASKS)]
        self._last = 0

    def issued(self, instruction: int, latency: int) -> int:
        """An instruction starts in this cycle; its end."""
        now = self._clock.now
        self._last = end = max(now + latency, self._last + 1)
        self._recorder.start[instruction] = now
        self._recorder.end[instruction] = end
        if self._post[instruction]:
            self._clock.timeout(end - now, instruction).callbacks.append(self._retire)
        return end

    def _retire(self, event: Event) -> None:
        instruction = cast(int, event.value)
        now = self._clock.now
        for counter in self._consumers[self._post[instruction]]:
            counter.post(instruction, now)


def chosen(mask: int, counters: Sequence[Counter]) -> tuple[Counter, ...]:
    """The counters of the units named in a mask."""
    return tuple(counter for unit, counter in enumerate(counters) if mask >> unit & 1)


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
        self._tokens = [chosen(mask, tokens) for mask in range(MASKS)]

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
        items, wait = queue.items, stream.wait
        occupancy, latency = stream.occupancy, stream.latency
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
            tokens = self._tokens[wait[i]]
            yield from self.gather(tokens + self.needs(i), since, self.own_condition(i))
            if self.met > clock.now:
                yield clock.timeout(self.met - clock.now)
            self.record_wait(since, i)

            for counter in tokens:
                counter.take()
            queue.pop()
            self.issue(i, self.completions.issued(i, latency[i]))
            self.free = clock.now + occupancy[i]

    def _record_empty(self, free: int, visible: int) -> None:
        held = self.queue.held_back
        if held.until > free:
            cause, cause_unit = held.instruction, held.unit
        else:
            cause, cause_unit = NOBODY, self.queue.items.provider
        self.recorder.stall(self.unit, free, visible, DISPATCH, NOBODY, cause, cause_unit)
