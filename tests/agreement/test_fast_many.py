"""Many machines at once: the cycles are those of each machine alone, whatever they are timed with."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from simulator import fast
from simulator.errors import ConfigError, DeadlockError, OutOfDomain, ProgramError
from simulator.fast import Designs, core
from simulator.fast import machine as numbers
from simulator.fast.core import InstructionSet
from simulator.isa import Opcode, UnitId
from simulator.machines.systolic import SystolicMachine
from tests.agreement.fast_cases import damaged, library, training_step
from tests.agreement.test_event_agreement import case
from tests.support.machines import small_machine
from tests.unit.systolic.programs import Assembler, make_machine, random_machine

NATIVE = core.native()
SETS = [] if NATIVE is None else [isa for isa in InstructionSet if isa <= NATIVE.best]


def others(rng: random.Random, machine: SystolicMachine, count: int) -> list[SystolicMachine]:
    """Machines that share a Program with ``machine``, with everything else at random."""
    found = []
    for _ in range(count):
        tables, own = random_machine(rng).model_dump(), machine.model_dump()
        for field in ("rows", "cols", "dataflow"):
            tables["matrix_unit"][field] = own["matrix_unit"][field]
        if max(own["matrix_unit"]["rows"], own["matrix_unit"]["cols"]) < machine.line_elements:
            tables["vector_unit"]["lanes"] = machine.line_elements
        else:
            tables["vector_unit"]["lanes"] = rng.choice((1, own["vector_unit"]["lanes"]))
        found.append(SystolicMachine.model_validate(tables))
    return found


def one_by_one(machines: list[SystolicMachine], records: Any) -> list[int] | Exception:
    found = []
    for index, machine in enumerate(machines):
        try:
            found.append(fast.cycles(machine, records))
        except (DeadlockError, ProgramError) as error:
            return type(error)(f"machine {index}: {error}")
    return found


def check(machines: list[SystolicMachine], records: Any, isa: InstructionSet | None = None) -> bool:
    """Whether the Program runs on all of them; the cycles, or the error, are those one by one."""
    expected = one_by_one(machines, records)
    if isinstance(expected, Exception):
        with pytest.raises(type(expected)) as error:
            fast.cycles_over(machines, records, isa)
        assert str(error.value) == str(expected)
        return False
    found = fast.cycles_over(machines, records, isa)
    assert found.dtype == np.int64 and found.tolist() == expected
    return True


@pytest.mark.parametrize("isa", SETS)
def test_random_programs(isa: InstructionSet) -> None:
    ran = 0
    for seed in range(60):
        machine, records = case(seed)
        rng = random.Random(seed)
        if seed % 4 == 3:
            records = damaged(rng, records)
        prepared = fast.prepare(records)
        # A lane, a vector and a bit, more than a block; in some, machines of one structure.
        machines = others(rng, machine, rng.choice((1, 17, 150)))
        if seed % 2:
            queue, fifo, unit = machine.sequencer, machine.weight_fifo, machine.matrix_unit
            settings = {"weight_buffers": unit.weight_buffers, "overlap": unit.overlap}
            machines = [
                other.model_copy(
                    update={
                        "sequencer": queue,
                        "weight_fifo": fifo,
                        "matrix_unit": other.matrix_unit.model_copy(update=settings),
                    }
                )
                for other in machines
            ]
        ran += check(machines, prepared, isa)
    assert 30 < ran < 60


def test_in_python() -> None:
    for seed in range(12):
        machine, records = case(seed)
        machines = others(random.Random(seed), machine, 3)
        expected = one_by_one(machines, records)
        if not isinstance(expected, Exception):
            with library(None):
                assert fast.cycles_over(machines, records).tolist() == expected


def test_training_step_over_columns() -> None:
    """Columns say the same as machines; groups, and groups of more machines than are timed together."""
    machine = small_machine()
    prepared = fast.prepare(training_step(machine, (20, 12, 5), 16, "momentum"))
    rng, size = np.random.default_rng(5), 1124
    fields: dict[str, Any] = {
        "hbm.latency_cycles": rng.integers(0, 300, size),
        "hbm.bytes_per_cycle": np.stack([rng.integers(1, 90, size), rng.integers(1, 9, size)], axis=1),
        "host_link.bytes_per_cycle": [Fraction(int(n), 3) for n in rng.integers(1, 50, size)],
        "unified_buffer.read_latency_cycles": rng.integers(1, 6, size),
        "matrix_unit.pe_latency_cycles": rng.integers(1, 5, size),
        "matrix_unit.vertical_hop_cycles": rng.integers(1, 4, size),
        "matrix_unit.horizontal_hop_cycles": rng.integers(1, 4, size),
        "matrix_unit.overlap": rng.random(size) < 0.95,
        "accumulators.adder_latency_cycles": rng.integers(1, 9, size),
        "vector_unit.lanes": rng.choice([1, 2, 4, 8], size),
        "vector_unit.alu_latency_cycles": rng.integers(1, 9, size),
        "vector_unit.divide_cycles": rng.integers(1, 40, size),
        "vector_unit.sqrt_cycles": rng.integers(1, 40, size),
        "vector_unit.table_cycles": rng.integers(1, 40, size),
        "weight_fifo.depth_tiles": np.where(rng.random(size) < 0.95, 2, 4),
        "clock.mhz": rng.random(size) + 1.0,
    }
    designs = Designs.vary(machine, fields)
    found = fast.cycles_over(designs, prepared)
    assert len(designs) == size and len(np.unique(found)) > size // 2
    chosen = [0, 1, size // 2, size - 1, *rng.integers(0, size, 20).tolist()]
    machines = []
    for index in chosen:
        tables = machine.model_dump()
        for path, values in fields.items():
            table, field = path.split(".")
            value = values[index]
            if np.ndim(value):
                value = Fraction(int(value[0]), int(value[1]))
            tables[table][field] = value.item() if isinstance(value, np.generic) else value
        machines.append(SystolicMachine.model_validate(tables))
    assert found[chosen].tolist() == one_by_one(machines, prepared)
    assert [fast.cycles(designs.one(index), prepared) for index in chosen] == found[chosen].tolist()


def test_fields_that_change_nothing() -> None:
    machine, records = case(1)
    expected = fast.cycles(machine, records)
    for fields in (
        {"clock.mhz": [100.0, 200.0, 300.0]},
        {"sequencer.queue_depth": [machine.sequencer.queue_depth] * 3},
        {"vector_unit.sqrt_cycles": [machine.vector_unit.sqrt_cycles] * 3},
    ):
        assert fast.cycles_over(Designs.vary(machine, fields), records).tolist() == [expected] * 3


@pytest.mark.parametrize("isa", SETS)
def test_cycles_that_need_more_than_32_bits(isa: InstructionSet) -> None:
    program = Assembler()
    for _ in range(3):
        program.add(Opcode.LOAD, rows=4096, item=2)
        program.add(Opcode.WLOAD)
        program.add(Opcode.VEC, rows=3)
    records = program.finish()[[0, 2, 3, 5, 6, 8, 9]].copy()
    records["wait"][-1] = 1 << UnitId.DMA | 1 << UnitId.VECTOR
    rates = [Fraction(1), Fraction(1, 9000), Fraction(1, 40_000), Fraction(7, 2**30)]
    machines = [make_machine(hbm__bytes_per_cycle=rate) for rate in rates]
    assert check(machines, records, isa)
    found = fast.cycles_over(machines, records, isa)
    assert found[0] < 2**18 and found[1] < 2**31 < found[2] < found[3]


def test_machines_that_share_no_program() -> None:
    machine, records = case(1)
    unit = machine.matrix_unit
    for update in ({"rows": 2 * unit.rows}, {"cols": 2 * unit.cols}, {"dataflow": "os"}):
        other = machine.model_copy(update={"matrix_unit": unit.model_copy(update=update)})
        with pytest.raises(OutOfDomain, match=r"^machine 1: matrix_unit\."):
            fast.cycles_over([machine, other], records)
    with pytest.raises(OutOfDomain, match="no machines"):
        fast.cycles_over([], records)
    with pytest.raises(OutOfDomain, match=r"matrix_unit\.rows: a Program is made for one"):
        Designs.vary(machine, {"matrix_unit.rows": [4, 8]})
    with pytest.raises(OutOfDomain, match="lines of one length"):
        Designs.vary(machine, {"vector_unit.lanes": [2 * machine.line_elements]})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "lists of one length"),
        ({"hbm.latency_cycles": [1, 2], "clock.mhz": [1.0]}, "lists of one length"),
        ({"hbm.latency": [1]}, "hbm.latency: a systolic machine has no such field"),
        ({"cache.size": [1]}, "cache.size: a systolic machine has no such field"),
        ({"hbm.latency_cycles": [1, -1]}, "hbm.latency_cycles = -1"),
        ({"hbm.latency_cycles": [1.5]}, "hbm.latency_cycles = 1.5"),
        ({"hbm.latency_cycles": [1, 2, 2.5, 3, 4]}, "hbm.latency_cycles = 2.5"),
        ({"hbm.latency_cycles": [1, 2, math.nan]}, "hbm.latency_cycles = nan"),
        ({"hbm.latency_cycles": [2.0, 1.0]}, "hbm.latency_cycles = 1.0"),
        ({"hbm.latency_cycles": [[1, 2], [3]]}, "lists of equal length"),
        ({"hbm.latency_cycles": 5}, "lists of one length"),
        ({"hbm.latency_cycles": [None, 1]}, "a list of numbers is needed"),
        ({"matrix_unit.weight_buffers": [1, 2, 3]}, "matrix_unit.weight_buffers = 3"),
        ({"hbm.bytes_per_cycle": [0]}, "hbm.bytes_per_cycle = 0"),
        ({"hbm.bytes_per_cycle": ["1/0"]}, 'hbm.bytes_per_cycle = "1/0": a positive number or a fraction'),
        ({"hbm.bytes_per_cycle": [1.5, math.inf]}, "hbm.bytes_per_cycle = inf: a positive number"),
        ({"hbm.bytes_per_cycle": [2**40]}, "hbm.bytes_per_cycle = 1099511627776: a positive number"),
        ({"hbm.bytes_per_cycle": [True]}, "hbm.bytes_per_cycle = true: a positive number"),
        ({"hbm.bytes_per_cycle": np.array([[[1, 2]]])}, "numerators and denominators"),
        ({3: [1]}, "3: a systolic machine has no such field"),
        ([1], r"fields = \[1\]: lists by field"),
        ({"hbm.bytes_per_cycle": np.array([[1, 0]])}, "numerators and denominators"),
    ],
)
def test_columns_that_make_no_sense(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Designs.vary(make_machine(), fields)


def test_the_machine_that_gets_stuck_is_named() -> None:
    program = Assembler()
    for _ in range(3):
        program.add(Opcode.VEC, wait=(UnitId.DMA,))
    for _ in range(3):
        program.add(Opcode.LOAD, post=(UnitId.VECTOR,))
    records = program.finish()
    machines = [make_machine(sequencer__queue_depth=depth) for depth in (4, 8, 3, 2, 1)]
    assert check(machines[:3], records)
    with pytest.raises(DeadlockError, match=r"^machine 3: deadlock: instruction"):
        fast.cycles_over(machines, records)
    assert not check(machines, records)


def test_every_field_of_a_machine_is_known() -> None:
    """A new field is listed where many machines are timed, or named here as one that changes no cycles."""
    untimed = {
        *("technology.process_nm", "clock.mhz", "hbm.capacity_bytes", "unified_buffer.capacity_bytes"),
        "accumulators.lines",
    }
    machine = make_machine()
    tables = {name: table for name, table in machine if hasattr(table, "model_fields_set")}
    fields = {f"{name}.{field}" for name, table in tables.items() for field, _ in table}
    listed = {*numbers.SHARED, *numbers.STRUCTURE, *numbers.CYCLES}
    assert fields == listed | untimed and not listed & untimed
