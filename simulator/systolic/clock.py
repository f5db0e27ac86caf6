"""SimPy with time in whole cycles, and the one kind of event that units wait for."""

from __future__ import annotations

from collections.abc import Callable, Generator
from heapq import heappop
from typing import Any, cast

from simpy.core import Environment, StopSimulation
from simpy.events import Event, EventPriority

Waits = Generator[Event, None, None]  # a SimPy process of this engine


class Clock(Environment):
    """Time counts cycles: every delay is an integer, so ``now`` stays one."""

    now: int = 0  # the current cycle: a plain attribute, because it is read more often than anything else

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    def run_all(self) -> None:
        """``run`` until a process stops the simulation or no event is left, with ``step`` written out."""
        events: list[tuple[int, EventPriority, int, Event]] = cast(Any, self._queue)
        try:
            while events:
                now, _, _, event = heappop(events)
                self._now = self.now = now
                callbacks, event.callbacks = event.callbacks, cast(Any, None)
                for callback in callbacks:
                    callback(event)
                if not event._ok:
                    raise event._value
        except StopSimulation:
            pass


class Wakeup(Event):
    """Resumes the one process that waits, when it is scheduled: as a Timeout, but made once and used ever
    again, and perhaps scheduled by another process than the one that yields ``again()``."""

    _ok = True
    _value = None

    def __init__(self, clock: Clock) -> None:
        self.env = clock

    def again(self) -> Wakeup:
        """An event that has not happened."""
        self.callbacks = []
        return self


class Alarm(Event):
    """Calls a function with itself when it is scheduled; ``value`` says what for."""

    _ok = True

    def __init__(self, clock: Clock, function: Callable[[Event], None], value: int) -> None:
        self.env = clock
        self.callbacks = [function]
        self._value = value
