"""The bench on the project's own array: bfloat16, cycles by ``simulator.timing``, a protocol of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cosim.bench import simulate
from simulator.cosim.bench.runner import Outcome
from tests.cosim.bench import array_bench

RTL = Path(__file__).parents[3] / "rtl_models"
SOURCES = [
    *(RTL / name for name in ("pulsetrain_pkg.sv", "fp32_pkg.sv", "systolic_pkg.sv", "systolic_array.sv")),
    Path(__file__).with_name("flat_array.sv"),
]
PARAMETERS = {name: getattr(array_bench, name) for name in ("ROWS", "COLS", "PE_LATENCY", "HOP_H", "HOP_V")}


def _run(mutant: int, **options: str) -> Outcome:
    return simulate(
        SOURCES, "flat_array", array_bench.__name__,
        parameters=PARAMETERS, variables={"MUTANT": str(mutant)}, check=False, **options,
    )  # fmt: skip


def test_values_and_cycles_of_both_types_and_dataflows() -> None:
    outcome = _run(0)
    assert outcome.failures == ()
    assert outcome.tests == 3


@pytest.mark.parametrize("mutant", [1, 23], ids=["rounding", "late swap"])
def test_seeded_faults_of_the_array_are_caught(mutant: int) -> None:
    outcome = _run(mutant, testcase="bfloat16")
    (failure,) = outcome.failures
    assert "a wrong value" in failure
    assert "ulp" in failure or "expected 0x" in failure
