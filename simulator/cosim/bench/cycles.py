"""When a result must leave: what a user expects, or arrays that follow ``docs/timing.md`` do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulator.errors import ConfigError
from simulator.machines.systolic import SystolicMachine
from simulator.timing import array_times


@dataclass(frozen=True)
class Moment:
    """What is known of one beat of results: its place, and what has happened on the ports before it.

    Units:
        cycles since reset, as the monitor saw them.
    """

    tile: int
    beat: int  # of results, from 0, within the tile
    line: int  # of the beat's first element
    lane: int
    entered: Mapping[str, Sequence[int]]  # per port: the cycle in which each beat of this tile was accepted
    previous: int  # the cycle in which the previous beat of results was accepted; -1 before the first


Expectation = Callable[[Moment], int | range | None]
"""The cycle in which a beat of results is first offered; a range of allowed ones; None is not checked."""


@dataclass(frozen=True)
class Latency:
    """Line i of results is offered ``cycles`` after beat i of ``port`` was accepted, or at its turn.

    For arrays through which lines stream (ws, is); an output-stationary one needs a function of a ``Moment``.
    """

    port: str
    cycles: int

    def __call__(self, moment: Moment) -> int:
        """The expected cycle."""
        if self.port not in moment.entered:
            raise ConfigError(f"cycles: port = {self.port!r}: one of {', '.join(moment.entered)}")
        return max(moment.entered[self.port][moment.line] + self.cycles, moment.previous + 1)


def after_array(machine: SystolicMachine, port: str) -> Expectation:
    """For arrays that follow ``simulator.timing``: a whole, de-skewed line at the edge of the array.

    ``port`` is that of the activations, whose row i enters in the cycle in which its element 0 is at row 0.
    """
    return Latency(port, array_times(machine).result)
