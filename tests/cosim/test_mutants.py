"""Seeded faults in the RTL, selected at run time: each is seen by the comparison, and not without it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cosim.directed import panels_with_gaps
from tests.cosim.random_pairs import random_case
from tests.cosim.support import Case, check

SEEDS = 8
# Mutants of the control path (rtl_models/systolic_pkg.sv); "C" where cycles must differ, "B" where bits must.
MUTANTS = {
    "queue holds one more": (16, "C"),
    "token one cycle late": (17, "C"),
    "array rows exchanged": (18, "B"),
    "remainder of the bandwidth carried over": (19, "C"),
    "accumulate dropped": (20, "B"),
    "MATMUL does not wait for its weights": (21, "C"),
    "FIFO slot free too early": (22, "C"),
    "swap one row late": (23, "B"),
    "weights released a cycle early": (24, "C"),
    "last line of a tile not read": (25, "B"),
    "panel stride ignored": (26, "B"),
    "STORE ends a cycle early": (27, "C"),
    "unused rows compute": (28, "B"),
    "int8 not sign-extended": (29, "B"),
    "token lost when posted and taken at once": (30, "C"),
    "base of the carried tensors exchanged": (31, "B"),
    "token counters without reset": (32, "C"),
    "fma drops its sticky bit": (1, "B"),
    "fma rounds ties up": (2, "B"),
}


def cases() -> Iterator[Case]:
    yield panels_with_gaps()
    for seed in range(SEEDS):
        yield random_case(seed, "4x4")
        yield random_case(seed, "os")


def test_the_twins_without_a_fault_pass() -> None:
    for case in cases():
        comparison, _ = check(case)
        assert comparison.equal, comparison.report


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_fault_is_caught(mutant: tuple[int, str]) -> None:
    number, kind = mutant
    for case in cases():
        comparison, _ = check(case, mutant=number)
        if comparison.cycle_mismatches if kind == "C" else comparison.bit_mismatches:
            assert comparison.report
            return
    pytest.fail(f"mutant {number} is not caught by any of {1 + 2 * SEEDS} Programs")
