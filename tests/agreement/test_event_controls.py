"""Controls: what the agreement tests would see if the engine broke one rule, and that ties do not matter.

Each control breaks one rule of the SimPy engine alone; the comparison with both oracles has to find it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from simulator import timing
from simulator.errors import DeadlockError, ProgramError
from simulator.machines.systolic import SystolicMachine
from simulator.systolic import dma, machine, matrix_unit, simulate, unit, weight_shifter
from simulator.systolic.clock import Clock
from simulator.systolic.recorder import Recorder
from simulator.systolic.stream import decode_stream
from tests.agreement.test_event_agreement import case, differences, event, solve, step
from tests.unit.systolic.account import check_account

Break = Callable[[pytest.MonkeyPatch], None]


def refill_at_once(patch: pytest.MonkeyPatch) -> None:
    """A queue slot is refilled in the cycle of the issue."""
    patch.setattr(unit, "REFILL_AFTER_ISSUE", 0)


def release_one_cycle_early(patch: pytest.MonkeyPatch) -> None:
    """The next tile's first line enters with the old tile's first row."""

    def early(core: SystolicMachine, rows: int) -> int:
        return timing.weight_release(core, rows) - 1

    patch.setattr(matrix_unit, "weight_release", early)


def rows_one_cycle_early(patch: pytest.MonkeyPatch) -> None:
    """A tile's rows enter one cycle before its weights are in place."""

    def early(core: SystolicMachine) -> timing.ArrayTimes:
        array = timing.array_times(core)
        return array._replace(weights_before_rows=array.weights_before_rows - 1)

    patch.setattr(weight_shifter, "array_times", early)


def no_memory_switch(patch: pytest.MonkeyPatch) -> None:
    """HBM and host link transfers overlap."""
    patch.setattr(dma.Dma, "condition", lambda self, instruction: None)


def retire_out_of_order(patch: pytest.MonkeyPatch) -> None:
    """Every completion is reported as soon as it can be."""
    patch.setattr(unit, "COMPLETIONS_APART", -1000)


@pytest.mark.parametrize(
    "broken",
    [refill_at_once, release_one_cycle_early, rows_one_cycle_early, no_memory_switch, retire_out_of_order],
)
def test_a_broken_rule_is_seen(broken: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    seen_by_recurrence = seen_by_stepper = 0
    for seed in range(40):
        core, records = case(seed)
        try:
            trace = event(core, records)
        except ProgramError:  # HALT ends too early
            continue
        seen_by_recurrence += bool(differences(trace, solve(core, records)))
        seen_by_stepper += bool(differences(trace, step(core, records)))
    assert seen_by_recurrence and seen_by_stepper
    assert seen_by_recurrence == seen_by_stepper


class ShufflingClock(Clock):
    """Processes the events of a cycle in random order, the starts of the processes included.

    No event is left out, not even where it would be the next one anyway.
    """

    rng = random.Random(0)

    def __init__(self) -> None:
        super().__init__()
        self._eid = (self.rng.randrange(2**30) << 30 | number for number in count())

    def nothing_until(self, cycle: int) -> bool:
        return False


def test_no_tie_depends_on_the_order_of_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(1, 200, 3):  # none of the shuffled Programs
        core, records = case(seed)
        expected = event(core, records)
        if expected is None:
            continue
        with monkeypatch.context() as patch:
            patch.setattr(machine, "Clock", ShufflingClock)
            ShufflingClock.rng.seed(seed)
            shuffled = simulate(core, records)
        assert expected.cycles == shuffled.cycles
        for column in ("events", "shifts", "stalls"):
            assert getattr(expected, column).tolist() == getattr(shuffled, column).tolist(), seed


class Watched(list[int]):
    """Starts of instructions, each written in the cycle in which it happens."""

    clock: Clock

    def __setitem__(self, instruction: Any, start: Any) -> None:
        assert self.clock.now == start or instruction == len(self) - 1  # HALT's is written ahead
        super().__setitem__(instruction, start)


def test_units_act_in_the_cycle_that_the_clock_shows() -> None:
    """Cycles would be right without it: what units tell each other is dated."""
    finished = 0
    for seed in range(1, 120, 3):
        core, records = case(seed)
        clock, recorder = Clock(), Recorder(decode_stream(core, records))
        recorder.start = Watched(recorder.start)
        recorder.start.clock = clock
        with suppress(DeadlockError):
            machine.run(clock, core, recorder)
            finished += 1
    assert finished > 30


def test_the_account_sees_a_missing_and_a_doubled_cycle() -> None:
    core, records = case(1)
    trace = simulate(core, records)
    check_account(trace)
    for row in range(len(trace.stalls)):
        for change in (-1, 1):
            stalls = trace.stalls.copy()
            stalls[row]["end"] += change
            with pytest.raises(AssertionError):
                check_account(replace(trace, stalls=stalls))
