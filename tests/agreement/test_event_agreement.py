"""The SimPy engine against two oracles on random Programs and machines: every cycle is equal.

The recurrence (a maximum over conditions) and the cycle stepper (registers, one clock at a time) are written
apart from the engine and from each other. Deadlocks agree too: a Program that is stuck is so in all three.
"""

from __future__ import annotations

import random

import numpy as np
import pytest

from simulator.errors import DeadlockError
from simulator.isa import Records
from simulator.machines.systolic import SystolicMachine
from simulator.systolic import simulate
from simulator.trace import Trace
from tests.oracles import cycle_stepper, recurrence
from tests.unit.systolic.account import check_account
from tests.unit.systolic.programs import random_machine, random_program, shuffled

BATCHES, PER_BATCH = 8, 100


def case(seed: int) -> tuple[SystolicMachine, Records]:
    """A third of the Programs are dispatched in a shuffled order; some of those get stuck."""
    rng = random.Random(seed)
    machine = random_machine(rng)
    records = random_program(rng, machine, rng.choice((6, 20, 45)))
    if seed % 3 == 0:
        records = shuffled(rng, records, swaps=len(records))
    return machine, records


def solve(machine: SystolicMachine, records: Records) -> recurrence.Recurrence | None:
    try:
        return recurrence.Recurrence(machine, records).solve()
    except recurrence.Deadlock:
        return None


def step(machine: SystolicMachine, records: Records) -> cycle_stepper.Stepper | None:
    try:
        return cycle_stepper.Stepper(machine, records).run()
    except cycle_stepper.Deadlock:
        return None


def event(machine: SystolicMachine, records: Records) -> Trace | None:
    try:
        return simulate(machine, records)
    except DeadlockError as error:
        assert "wait cycle: " in str(error)
        return None


def differences(
    trace: Trace | None, times: recurrence.Recurrence | cycle_stepper.Stepper | None
) -> list[tuple[str, int]]:
    """(column, instruction) of every disagreement."""
    if trace is None or times is None:
        return [] if trace is None and times is None else [("deadlock", 0)]
    found = []
    for column in ("dispatch", "start", "busy_end", "end"):
        expected = np.array(getattr(times, column))
        found += [(column, int(i)) for i in np.flatnonzero(trace.events[column] != expected)]
    shifts = [tuple(int(value) for value in shift) for shift in trace.shifts]
    if shifts != times.shifts:
        found.append(("shift", 0))
    return found


@pytest.mark.parametrize("batch", range(BATCHES))
def test_three_ways_to_the_same_cycles(batch: int) -> None:
    finished = 0
    for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        machine, records = case(seed)
        trace, times = event(machine, records), solve(machine, records)
        assert not differences(trace, times), f"seed {seed}: recurrence"
        assert not differences(trace, step(machine, records)), f"seed {seed}: stepper"
        if trace is not None and times is not None:
            check_account(trace)
            assert trace.cycles == times.cycles
            assert [tuple(int(value) for value in stall) for stall in trace.stalls] == recurrence.stalls(
                times
            ), seed
            finished += 1
    assert finished > PER_BATCH * 3 // 4
