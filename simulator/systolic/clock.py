"""SimPy with time in whole cycles, and the one kind of event that units wait for."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from heapq import heappop
from typing import Any, cast

from simpy.core import Environment, StopSimulation
from simpy.events import Event, EventPriority, Process

Waits = Generator[Event, None, None]  # a SimPy process of this engine


class Wakeup(Event):
    """Resumes the one process that waits, when it is scheduled: as a Timeout, but made once and used ever
    again, and perhaps scheduled by another process than the one that yields it."""

    _ok = True
    _value = None

    def __init__(self, clock: Clock) -> None:
        self.env = clock
        self.callbacks = []  # an event that has not happened; whoever yields it again makes it one again


class UnitProcess(Process):
    """A Process without cases: it yields Wakeups that have not happened; what it raises ends the run."""

    def __init__(self, clock: Clock, waits: Waits) -> None:
        self._go_on = waits.__next__
        super().__init__(clock, waits)

    def _resume(self, event: Event) -> None:
        try:
            self._go_on().callbacks.append(self._resume)
        except StopIteration:
            self.succeed()


class Clock(Environment):
    """Time counts cycles: every delay is an integer, so ``now`` stays one."""

    now: int = 0  # the current cycle: a plain attribute, because it is read more often than anything else

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    def scheduled(self) -> tuple[list[Any], Iterator[int]]:
        """What ``schedule`` adds to, and numbers that follow one another: for those who know the cycle."""
        return self._queue, self._eid

    def nothing_until(self, cycle: int) -> bool:
        """Whether nothing happens before a cycle, which is the current one then.

        A process that would sleep until then asks first: its event would be the next one.
        """
        if self._queue and self._queue[0][0] < cycle:
            return False
        self._now = self.now = cycle
        return True

    def run_all(self) -> None:
        """``run`` until a process stops the simulation or no event is left, with ``step`` written out."""
        events: list[tuple[int, EventPriority, int, Any]] = cast(Any, self._queue)
        try:
            while events:
                now, _, _, event = heappop(events)
                self._now = self.now = now
                callbacks, event.callbacks = event.callbacks, None
                for callback in callbacks:
                    callback(event)
                if not event._ok:
                    raise event._value
        except StopSimulation:
            pass
