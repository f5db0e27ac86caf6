"""The array as PE instances and the array as loops: same ports, same cycles, same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cosim.build import Design, build_design, run_text
from tests.cosim.random_pairs import random_case
from tests.cosim.support import check

HERE = Path(__file__).parent
SHAPES = {
    "4x4": {"ROWS": 4, "COLS": 4},
    "3x5, slow PEs": {"ROWS": 3, "COLS": 5, "PE_LATENCY": 3, "HOP_H": 2, "HOP_V": 2},
    "1x2": {"ROWS": 1, "COLS": 2, "PE_LATENCY": 2, "HOP_V": 3},
    "os 4x4": {"OUTPUT_STATIONARY": 1, "ROWS": 4, "COLS": 4},
    "os 3x5, slow PEs": {
        "OUTPUT_STATIONARY": 1, "ROWS": 3, "COLS": 5, "PE_LATENCY": 3, "HOP_H": 2, "HOP_V": 2,
    },
    "os 2x1": {"OUTPUT_STATIONARY": 1, "ROWS": 2, "COLS": 1, "PE_LATENCY": 2, "HOP_H": 3},
}  # fmt: skip
MUTANTS = {
    "dropped sticky bit": ("4x4", 1),
    "late swap": ("4x4", 23),
    "unsigned int8": ("4x4", 29),
    "os: dropped sticky bit": ("os 4x4", 1),
    "os: unsigned int8": ("os 4x4", 29),
}


def lockstep(shape: str, cycles: int, mutant: int = 0, seed: int = 1) -> tuple[int, int]:
    """(sums compared, sums different)"""
    design = Design(
        "lockstep_bench",
        (HERE / "lockstep_bench.sv",),
        HERE / "lockstep_main.cpp",
        tuple(SHAPES[shape].items()),
    )
    words = run_text([str(build_design(design)), str(cycles), str(mutant), str(seed)]).split()
    return int(words[0]), int(words[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_both_forms_agree_in_every_cycle(shape: str) -> None:
    compared, different = lockstep(shape, 20_000)
    assert different == 0
    assert compared > 10_000


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_lockstep_sees_a_fault_in_one_form(mutant: tuple[str, int]) -> None:
    shape, number = mutant
    assert lockstep(shape, 20_000, number)[1] > 0


@pytest.mark.parametrize("build", ["4x4", "os"])
def test_whole_programs_on_pe_instances(build: str) -> None:
    for seed in range(6):
        comparison, _ = check(random_case(seed, build), pe_instances=True)
        assert comparison.equal, comparison.report
