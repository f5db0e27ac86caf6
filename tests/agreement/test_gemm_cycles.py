"""Cycles of many GEMMs at once, by closed form or by their Programs, against ``gemm`` one by one."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from simulator.api import gemm, gemm_cycles, gemm_scalesim, load_machine
from simulator.errors import CompileError, ConfigError
from simulator.machines.systolic import SystolicMachine
from tests.agreement import test_array_form, test_closed_form
from tests.unit.systolic.programs import make_machine

MACHINES = 25


def any_machine(rng: random.Random, kind: str) -> SystolicMachine:
    if kind == "core":
        return test_closed_form.any_machine(rng)
    return test_array_form.any_machine(rng, rng.choice(test_array_form.DATAFLOWS))


@pytest.mark.parametrize("kind", ["core", "array", "scalesim"])
def test_what_gemm_finds_one_by_one(kind: str) -> None:
    """In the domain and outside it, which both occur."""
    rng, ways = random.Random(5), {True: 0, False: 0}
    solve: Any = gemm_scalesim if kind == "scalesim" else gemm
    while min(ways.values()) < MACHINES:
        machine, dtype = any_machine(rng, kind), rng.choice(("bfloat16", "int8"))
        if kind == "array" and machine.is_power_of_two:
            continue
        m, k, n = (np.array([test_array_form.any_size(rng) for _ in range(3)]) for _ in range(3))
        try:
            expected = [
                solve(machine, *map(int, sizes), dtype=dtype, engine="fast").cycles
                for sizes in zip(m, k, n, strict=True)
            ]
        except CompileError:
            continue
        compat = "scalesim" if kind == "scalesim" else None
        found = gemm_cycles(machine, m, k, n, dtype=dtype, compat=compat)
        assert found.cycles.tolist() == expected, (machine, m, k, n)
        for by_form in found.by_form.tolist():
            ways[by_form] += 1


@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_sizes_broadcast(dataflow: str) -> None:
    """For an output-stationary core there is no form at all."""
    machine = make_machine(
        matrix_unit__dataflow=dataflow,
        hbm__bytes_per_cycle=400,
        sequencer__queue_depth=128,
        unified_buffer__read_latency_cycles=3,
        matrix_unit__rows=8,
        matrix_unit__cols=8,
        vector_unit__lanes=8,
    )
    found = gemm_cycles(machine, [[20], [33]], [12, 45, 7], 30)
    assert found.cycles.shape == found.by_form.shape == (2, 3)
    assert found.by_form.any() == (dataflow == "ws")
    for i, j in np.ndindex(2, 3):
        assert found.cycles[i, j] == gemm(machine, (20, 33)[i], (12, 45, 7)[j], 30).cycles


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"m": 0}, "m = 0: integers from 1 to 1048576"),
        ({"k": 1.5}, "k = 1.5: integers"),
        ({"n": [2, 2**21]}, "n = 2097152: integers"),
        ({"dtype": "float32"}, "dtype = 'float32': bfloat16, int8 is allowed"),
        ({"compat": "other"}, "compat = 'other': scalesim is allowed"),
    ],
)
@pytest.mark.parametrize("dataflow", ["ws", "os"])
def test_arguments_that_make_no_sense(dataflow: str, arguments: dict[str, Any], message: str) -> None:
    machine = make_machine(matrix_unit__dataflow=dataflow)
    with pytest.raises(ConfigError, match=message):
        gemm_cycles(machine, **{"m": 4, "k": 4, "n": 4, **arguments})


def test_a_machine_that_is_not_systolic() -> None:
    machine: Any = load_machine("v100")
    with pytest.raises(ConfigError, match="a systolic machine is needed"):
        gemm_cycles(machine, 4, 4, 4)
