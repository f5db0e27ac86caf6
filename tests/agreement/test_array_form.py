"""The sum for a GEMM on the array alone against its compiled Program in the recurrence."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from simulator import fast
from simulator.api.gemm import gemm
from simulator.compiler.array_program import compile_array_gemm
from simulator.errors import CompileError, ConfigError, OutOfDomain
from simulator.fast import array_form
from simulator.fast.array_form import array_gemm_cycles
from simulator.machines.systolic import SystolicMachine
from tests.unit.systolic.programs import make_machine

DATAFLOWS = ("ws", "os", "is")


def any_machine(rng: random.Random, dataflow: str) -> SystolicMachine:
    return make_machine(
        hbm__bytes_per_cycle=Fraction(rng.randint(1, 200), rng.randint(1, 7)),
        hbm__latency_cycles=rng.choice((0, 1, 40, 300)),
        unified_buffer__capacity_bytes=2 ** rng.choice((17, 22)),
        unified_buffer__read_latency_cycles=rng.choice((1, 2, 5, 30)),
        weight_fifo__depth_tiles=rng.choice((1, 2, 3, 8)),
        matrix_unit__rows=rng.choice((1, 2, 3, 7, 8, 13)),
        matrix_unit__cols=rng.choice((1, 2, 5, 8, 12)),
        matrix_unit__dataflow=dataflow,
        matrix_unit__weight_buffers=rng.choice((1, 2)),
        matrix_unit__overlap=rng.choice((True, True, False)),
        matrix_unit__pe_latency_cycles=rng.choice((1, 1, 2, 5)),
        matrix_unit__horizontal_hop_cycles=rng.choice((1, 1, 3)),
        matrix_unit__vertical_hop_cycles=rng.choice((1, 1, 2, 6)),
        accumulators__lines=rng.choice((64, 4096)),
        accumulators__adder_latency_cycles=rng.choice((1, 3, 40)),
        vector_unit__lanes=rng.choice((1, 3, 8)),
        vector_unit__alu_latency_cycles=rng.choice((1, 5)),
        sequencer__queue_depth=rng.choice((1, 2, 3, 64)),
    )


def any_size(rng: random.Random) -> int:
    return int(2 ** rng.uniform(0, 7))


def compiled(machine: SystolicMachine, m: int, k: int, n: int, dtype: str) -> int:
    return fast.cycles(machine, compile_array_gemm(machine, m, k, n, dtype).records)


@pytest.mark.parametrize("dataflow", DATAFLOWS)
def test_equal_in_its_domain(dataflow: str) -> None:
    rng, compared = random.Random(3), 0
    for _ in range(1200):
        machine, dtype = any_machine(rng, dataflow), rng.choice(("bfloat16", "int8"))
        m, k, n = (any_size(rng) for _ in range(3))
        try:
            found = array_gemm_cycles(machine, m, k, n, dtype=dtype)
        except OutOfDomain:
            continue
        assert found == compiled(machine, m, k, n, dtype), (machine, m, k, n, dtype)
        compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    "reason",
    [
        "the sequencer cannot run ahead of the array",
        "weights come later than the array takes them",
        "sums wait for the adder",
    ],
)
def test_every_limit_is_needed(reason: str) -> None:
    """Where it alone is broken the Program takes longer than the sum, at some points at least."""
    rng, longer = random.Random(4), 0
    for _ in range(4000):
        machine = any_machine(rng, rng.choice(DATAFLOWS))
        sizes = [any_size(rng) for _ in range(3)]
        cycles, limits = array_form._sum(machine, *(np.array(size) for size in sizes), 2)
        if [name for name, holds in limits.items() if not np.all(holds)] == [reason]:
            with pytest.raises(OutOfDomain, match=f"^GEMM .*: no sum, as {reason}$"):
                array_gemm_cycles(machine, *sizes)
            assert cycles <= compiled(machine, *sizes, "bfloat16")
            longer += int(cycles) != compiled(machine, *sizes, "bfloat16")
        if longer == 3:
            return
    pytest.fail("the sum holds beyond its domain")


def test_what_cannot_be_compiled_has_no_sum() -> None:
    machine = make_machine(unified_buffer__capacity_bytes=2**12, accumulators__lines=64)
    for sizes in ((4, 4, 200), (600, 4, 4)):
        with pytest.raises(OutOfDomain, match="do not fit on chip together"):
            array_gemm_cycles(machine, *sizes)
        with pytest.raises(CompileError):
            compile_array_gemm(machine, *sizes, "bfloat16")


def test_what_the_command_says() -> None:
    """``gemm`` times an array alone when its sizes are not powers of two."""
    machine = make_machine(matrix_unit__rows=6, matrix_unit__cols=10, vector_unit__lanes=8)
    m, k = np.array([[20], [33]]), np.array([12, 45])
    found = array_gemm_cycles(machine, m, k, 30)
    assert found.shape == (2, 2)
    for i, j in np.ndindex(2, 2):
        assert found[i, j] == gemm(machine, int(m[i, 0]), int(k[j]), 30, engine="fast").cycles


def test_arguments_that_make_no_sense() -> None:
    bad: list[dict[str, Any]] = [{"m": 0}, {"k": 1.5}, {"n": 2**20 + 1}, {"dtype": "float32"}]
    for arguments in bad:
        with pytest.raises(ConfigError, match="allowed"):
            array_gemm_cycles(make_machine(), **{"m": 4, "k": 4, "n": 4, **arguments})
