"""Which engine times a Program."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simulator import systolic
from simulator.errors import OutOfDomain
from simulator.isa import Records
from simulator.machines.systolic import SystolicMachine
from simulator.trace import Trace

ENGINES: Mapping[str, Callable[[SystolicMachine, Records], Trace]] = {"event": systolic.simulate}


def time_program(machine: SystolicMachine, records: Records, engine: str = "event") -> Trace:
    """What happens when ``machine`` executes the instructions, in cycles.

    Raises:
        OutOfDomain: there is no such engine.
        DeadlockError: the instructions cannot all be executed.
    """
    if engine not in ENGINES:
        raise OutOfDomain(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
    return ENGINES[engine](machine, records)
