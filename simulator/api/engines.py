"""Which engine times a Program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from simulator import fast, systolic
from simulator.errors import CheckError, DeadlockError
from simulator.machines.arguments import check_choice, check_systolic
from simulator.machines.systolic import SystolicMachine
from simulator.program import Program
from simulator.trace import Trace


def _event(machine: SystolicMachine, program: Program) -> Trace:
    return systolic.simulate(machine, program.records)


def _fast(machine: SystolicMachine, program: Program) -> Trace:
    try:
        return fast.simulate(machine, program.records)
    except DeadlockError:
        systolic.simulate(machine, program.records)  # ends the same way, and says who waits for whom
        raise


def _rtl(machine: SystolicMachine, program: Program) -> Trace:
    """Starts and ends as the RTL's strobes give them. It has none for stalls: those are the model's.

    They are the RTL's too only if every start and end is the same, so anything else is a failed check.
    """
    from simulator.api.cosim import against_models  # with all that RTL needs

    model = systolic.simulate(machine, program.records)
    comparison, run = against_models(machine, program, model)
    if comparison.cycle_mismatches:
        raise CheckError(f"rtl: {comparison.report.splitlines()[0]}")
    events = model.events.copy()
    for column in ("dispatch", "start", "end"):
        events[column] = run.trace.events[column]
    return replace(model, events=events, cycles=run.trace.cycles, engine="rtl")


ENGINES: Mapping[str, Callable[[SystolicMachine, Program], Trace]] = {
    "event": _event,
    "fast": _fast,
    "rtl": _rtl,
}


def time_program(machine: SystolicMachine, program: Program, engine: str = "event") -> Trace:
    """What happens when ``machine`` executes a Program, in cycles.

    Raises:
        ConfigError: the machine is not systolic, or there is no such engine.
        OutOfDomain: the engine cannot time this Program exactly.
        DeadlockError: the instructions cannot all be executed.
        CheckError: the RTL and the model disagree.
    """
    check_systolic(machine)
    check_choice("engine", engine, ENGINES)
    return ENGINES[engine](machine, program)
