"""SimPy with time in whole cycles, and the one kind of event that units wait for."""

from __future__ import annotations

from collections.abc import Generator

from simpy.core import Environment
from simpy.events import Event

Waits = Generator[Event, None, None]  # a SimPy process of this engine


class Clock(Environment):
    """Time counts cycles: every delay is an integer, so ``now`` stays one."""

    _now: int

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def now(self) -> int:
        """The current cycle."""
        return self._now


class Wakeup(Event):
    """Resumes the one process that waits, in this cycle or a later one."""

    def fire(self, clock: Clock, delay: int) -> None:
        """Resume the waiting process ``delay`` cycles from now (one scheduled event, where ``succeed`` needs
        two)."""
        self._ok = True
        self._value = None
        clock.schedule(self, delay=delay)
