"""SCALE-Sim's cycles as a sum, against the Program of ``gemm --compat scalesim`` and against SCALE-Sim."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from simulator.api.gemm import gemm_scalesim
from simulator.errors import ConfigError, OutOfDomain
from simulator.fast.scalesim import LONGEST_STREAM, scalesim_cycles
from tests.unit.systolic.programs import make_machine

FORWARD = ((128, 784, 512), (128, 512, 512), (128, 512, 10))
BACKWARD = ((784, 128, 512), (512, 128, 512), (512, 128, 10), (128, 10, 512), (128, 512, 512))
STEP = np.array([*FORWARD, *BACKWARD])


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
def test_equal_to_the_program(dataflow: str) -> None:
    rng, compared = random.Random(7), 0
    while compared < 150:
        machine = make_machine(
            matrix_unit__dataflow=dataflow,
            matrix_unit__rows=rng.choice((1, 2, 3, 7, 8, 16)),
            matrix_unit__cols=rng.choice((1, 2, 5, 8, 16)),
            matrix_unit__pe_latency_cycles=rng.choice((1, 1, 2, 4)),
            matrix_unit__horizontal_hop_cycles=rng.choice((1, 1, 3)),
            matrix_unit__vertical_hop_cycles=rng.choice((1, 1, 2)),
            unified_buffer__read_latency_cycles=rng.choice((1, 2, 5)),
            accumulators__adder_latency_cycles=rng.choice((1, 3, 40)),
        )
        m, k, n = (int(2 ** rng.uniform(0, 6)) for _ in range(3))
        try:
            found = scalesim_cycles(machine, m, k, n)
        except OutOfDomain:
            assert machine.accumulators.adder_latency_cycles == 40
            continue
        assert found == gemm_scalesim(machine, m, k, n, engine="fast").cycles, (machine, m, k, n)
        compared += 1


def test_sums_that_wait_for_the_adder_are_refused() -> None:
    """They take longer than folds would."""
    machine = make_machine(accumulators__adder_latency_cycles=40)
    with pytest.raises(OutOfDomain, match="adder_latency_cycles = 40: a fold takes 12 cycles"):
        scalesim_cycles(machine, 2, 8, 4)
    assert gemm_scalesim(machine, 2, 8, 4, engine="fast").cycles > 2 * 12 - 1
    assert scalesim_cycles(machine, 2, 4, 4) == gemm_scalesim(machine, 2, 4, 4, engine="fast").cycles == 11


@pytest.mark.parametrize(
    ("dataflow", "expected"),
    [
        ("ws", [14279, 8159, 2039, 4663, 3575, 893, 2039, 8159]),
        ("os", [4151, 3063, 765, 10695, 6111, 1527, 1055, 3063]),
    ],
)
def test_training_step_as_scalesim_prints_it(dataflow: str, expected: list[int]) -> None:
    """The eight GEMMs of one 784-512-512-10 step at batch 128: output of SCALE-Sim 3.0.0."""
    sides = {f"matrix_unit__{side}": 128 for side in ("rows", "cols")}
    machine = make_machine(matrix_unit__dataflow=dataflow, vector_unit__lanes=128, **sides)
    assert scalesim_cycles(machine, *STEP.T).tolist() == expected


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 1.5, 1), (1, 1, 2**20 + 1), ([], 1, 1)])
def test_sizes_that_make_no_sense(sizes: tuple[Any, ...]) -> None:
    with pytest.raises(ConfigError, match="integers from 1 to 1048576"):
        scalesim_cycles(make_machine(), *sizes)


def test_a_stream_longer_than_an_instruction() -> None:
    assert scalesim_cycles(make_machine(), LONGEST_STREAM, 4, 4)
    with pytest.raises(OutOfDomain, match="a stream of 32769"):
        scalesim_cycles(make_machine(), LONGEST_STREAM + 1, 4, 4)
