"""What was before a reset does not matter: neither the state at power-up nor a Program that was under way."""

from __future__ import annotations

import random

import pytest

from simulator.systolic import simulate
from tests.cosim.random_pairs import QUICK, random_case
from tests.cosim.support import Case, check

NO_RESET = 32  # the mutant whose token counters have none
ZEROS = 0  # the seed of a power-up with every register zero


def moments(case: Case, number: int) -> list[int]:
    """Cycles of a Program at which it is interrupted."""
    cycles = simulate(case.machine, case.program.records).cycles
    return sorted(random.Random(cycles).sample(range(1, cycles), number))


@pytest.mark.parametrize("build", QUICK)
def test_a_reset_in_the_middle_of_a_program(build: str) -> None:
    for number in (0, 1):
        case = random_case(number, build)
        for cut in moments(case, 3):
            comparison, run = check(case, interrupt=cut, seed=ZEROS)
            assert run.halted and comparison.equal, f"seed {number}, reset after {cut}: {comparison.report}"


@pytest.mark.parametrize("build", QUICK)
def test_any_state_at_power_up(build: str) -> None:
    case = random_case(1, build)
    for seed in range(6):
        comparison, _ = check(case, seed=seed)
        assert comparison.equal, f"seed {seed}: {comparison.report}"


def test_a_missing_reset_is_seen() -> None:
    case = random_case(1, "4x4")
    assert check(case, mutant=NO_RESET, seed=ZEROS)[0].equal  # all zero is what the reset would have left
    assert check(case, mutant=NO_RESET, seed=1)[0].cycle_mismatches
    cuts = moments(case, 5)
    assert any(check(case, mutant=NO_RESET, seed=ZEROS, interrupt=cut)[0].cycle_mismatches for cut in cuts)
