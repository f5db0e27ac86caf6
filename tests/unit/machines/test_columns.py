"""Fields of many machines, read side by side."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest

from simulator.fast.machine import numbers
from simulator.fast.machine import numbers_of as timed_numbers
from simulator.machines.columns import MachineColumns
from simulator.machines.systolic import SystolicMachine
from tests.unit.systolic.programs import make_machine


def some_machines() -> list[SystolicMachine]:
    rng = random.Random(1)
    return [
        make_machine(
            matrix_unit__dataflow=rng.choice(("ws", "os", "is")),
            matrix_unit__overlap=rng.random() < 0.5,
            vector_unit__lanes=rng.choice((4, 8, 32)),
            hbm__bytes_per_cycle=f"{rng.randint(1, 99)}/{rng.randint(1, 9)}",
            hbm__latency_cycles=rng.randint(0, 500),
            host_link__bytes_per_cycle=f"{rng.randint(1, 2**31 - 1)}/{rng.randint(1, 9)}",
        )
        for _ in range(50)
    ]


def test_columns_are_the_fields() -> None:
    machines = some_machines()
    columns = MachineColumns(machines)
    assert len(columns) == 50
    assert columns.longs("hbm.latency_cycles").tolist() == [of.hbm.latency_cycles for of in machines]
    assert list(columns.values("matrix_unit.dataflow")) == [of.matrix_unit.dataflow for of in machines]
    rates = np.stack(columns.rates("hbm.bytes_per_cycle"), axis=1).tolist()
    assert [Fraction(*rate) for rate in rates] == [of.hbm.bytes_per_cycle for of in machines]
    with pytest.raises(KeyError):
        columns.longs("hbm.latency")


def test_numbers_of_many_are_those_of_each() -> None:
    machines = some_machines()
    expected = np.array([numbers(machine) for machine in machines])
    assert np.array_equal(timed_numbers(MachineColumns(machines)).T, expected)
    assert len(np.unique(expected, axis=0)) == 50
