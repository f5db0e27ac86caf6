"""The fast engine, compiled and in Python, against the SimPy engine: every record of the Trace is equal."""

from __future__ import annotations

import pickle
import random
from fractions import Fraction

import numpy as np
import pytest

from simulator import fast, systolic
from simulator.api.engines import time_program
from simulator.errors import DeadlockError, OutOfDomain, ProgramError
from simulator.fast import core
from simulator.isa import INSTRUCTION_DTYPE, Function, Opcode, UnitId
from simulator.program import Program
from simulator.timing import TIMED_BITS, instruction_times
from tests.agreement.fast_cases import damaged, difference, library, run, training_step
from tests.agreement.test_event_agreement import case
from tests.support.machines import small_machine
from tests.unit.systolic.programs import Assembler, make_machine, random_machine

BATCHES, PER_BATCH = 8, 125
DATAFLOWS = ("ws", "os", "is")


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs(batch: int) -> None:
    finished = 0
    for seed in range(batch * PER_BATCH, (batch + 1) * PER_BATCH):
        machine, records = case(seed)
        expected = run(systolic.simulate, machine, records)
        assert not difference(expected, run(fast.simulate, machine, records)), seed
        with library(None):
            assert not difference(expected, run(fast.simulate, machine, records)), f"{seed}, in Python"
        if not isinstance(expected, Exception):
            assert fast.cycles(machine, records) == expected.cycles
            finished += 1
    assert finished > PER_BATCH * 3 // 4


def test_programs_that_may_not_end() -> None:
    """Tokens, flags and instructions changed at random: every outcome and every message is the same."""
    outcomes = {Exception: 0, DeadlockError: 0, ProgramError: 0}
    for seed in range(400):
        machine, records = case(seed)
        records = damaged(random.Random(seed), records)
        expected = run(systolic.simulate, machine, records)
        assert not difference(expected, run(fast.simulate, machine, records)), seed
        with library(None):
            assert not difference(expected, run(fast.simulate, machine, records)), f"{seed}, in Python"
        if isinstance(expected, Exception):
            with pytest.raises(type(expected)):
                fast.cycles(machine, records)
            outcomes[type(expected)] += 1
        else:
            assert fast.cycles(machine, records) == expected.cycles
    assert all(outcomes[error] > 5 for error in (DeadlockError, ProgramError)), outcomes


@pytest.mark.parametrize("dataflow", DATAFLOWS)
@pytest.mark.parametrize("starved", [False, True])
def test_training_steps(dataflow: str, starved: bool) -> None:
    tight = {"queue_depth": 2, "depth_tiles": 1, "unified_buffer": {"capacity_bytes": 12 * 4 * 64}}
    machine = small_machine(dataflow=dataflow, **(tight if starved else {}))
    records = training_step(machine, (40, 24, 10), 32, "adam")
    expected = systolic.simulate(machine, records)
    found = fast.simulate(machine, records)
    assert not difference(expected, found)
    assert found.engine == "fast" and fast.cycles(machine, records) == expected.cycles > 1000


def program_of(records: np.ndarray) -> Program:
    """Instructions alone, as a Program."""
    count = len(records)
    none = np.zeros(count, np.int64)
    return Program(records, none - 1, none.astype(np.uint8), none, none - 1, (), (), ())


def test_a_deadlock_is_explained_by_the_event_engine() -> None:
    machine = make_machine()
    program = Assembler()
    program.add(Opcode.LOAD, wait=(UnitId.VECTOR,))
    records = program.finish()
    with pytest.raises(DeadlockError, match=r"^deadlock: instruction 0 \(LOAD\) of dma can never start$"):
        fast.simulate(machine, records)
    with pytest.raises(DeadlockError) as event:
        time_program(machine, program_of(records), "event")
    with pytest.raises(DeadlockError) as also:
        time_program(machine, program_of(records), "fast")
    assert str(event.value) == str(also.value)


def test_fields_that_make_no_sense() -> None:
    machine = make_machine()
    load, twice = Assembler(), Assembler()
    load.add(Opcode.LOAD)
    twice.add(Opcode.HALT)
    bad = [np.zeros(0, dtype=INSTRUCTION_DTYPE), load.records(), twice.finish()]
    for field, value in (("rows", 0), ("wait", 64), ("post", 64), ("opcode", 8)):
        records = load.finish() if len(load.instructions) == 1 else load.records()
        records[field][0] = value
        bad.append(records)
    for records in bad:
        expected = run(systolic.simulate, machine, records)
        assert isinstance(expected, ProgramError)
        assert not difference(expected, run(fast.simulate, machine, records))
        with library(None):
            assert not difference(expected, run(fast.simulate, machine, records))


def test_cycles_beyond_62_bits_are_refused() -> None:
    """Of a transfer, and of all transfers together; one that just fits has as many as arithmetic says."""
    program, slow = Assembler(), make_machine(hbm__bytes_per_cycle=Fraction(1, 2**31 - 1))
    program.add(Opcode.LOAD, rows=2**15, panels=2**10, item=1)
    one = program.finish()
    expected = (2**15 * 2**10 * 4 * 2) * (2**31 - 1)
    found = fast.cycles(slow, one)
    assert 0 < found - expected < 100 and found == systolic.simulate(slow, one).cycles
    assert fast.cycles_over([slow, make_machine()], one)[0] == found
    with library(None):
        assert fast.cycles(slow, one) == found
    for _ in range(9):
        program.instructions.insert(0, {**program.instructions[0], "post": 0})
    many = program.records()
    one["rows"][0] = one["panels"][0] = 2**16 - 1
    for records in (one, many):
        for found_library in (core.native(), None):
            with library(found_library):
                for function in (fast.cycles, fast.simulate):
                    with pytest.raises(OutOfDomain, match=r"e\+\d\d"):
                        function(slow, records)
        with pytest.raises(OutOfDomain):
            fast.cycles_over([slow], records)


def test_python_says_so_once(capsys: pytest.CaptureFixture[str]) -> None:
    machine, records = case(1)
    core.say_once.cache_clear()
    with library(None):
        assert fast.backend() == "python: not wanted here"
        fast.cycles(machine, records)
        fast.cycles(machine, records)
    assert capsys.readouterr().err.count("fast engine in python: not wanted here") == 1
    assert fast.backend().startswith("native (")


def test_instructions_of_one_kind_take_equally_long() -> None:
    """The bits that ``simulator.timing`` says times depend on are all that they depend on."""
    rng = np.random.default_rng(3)
    records = np.zeros(4000, dtype=INSTRUCTION_DTYPE)
    for name in INSTRUCTION_DTYPE.names or ():
        records[name] = rng.integers(1, 4, len(records))
    records["opcode"] = rng.integers(0, len(Opcode) - 1, len(records))
    records["function"] = rng.choice(list(Function), len(records))
    records["flags"] = rng.integers(0, 1 << 16, len(records))
    records["opcode"][-1] = Opcode.HALT
    for prepared in _both(records):
        kinds = len(prepared.kinds)
        assert kinds < len(records) / 4
        assert prepared.count.sum() == len(records)
        place = prepared.instructions["kind"]
        assert (prepared.kinds["opcode"][place] == records["opcode"]).all()
        for seed in range(5):
            machine = random_machine(random.Random(seed))
            every, of_kind = instruction_times(machine, records), instruction_times(machine, prepared.kinds)
            assert (every.occupancy == of_kind.occupancy[place]).all()
            assert (every.latency == of_kind.latency[place]).all()


def test_a_prepared_program_survives_a_pickle() -> None:
    """It holds addresses, which mean nothing elsewhere."""
    machine, records = case(1)
    prepared = fast.prepare(records)
    copied = pickle.loads(pickle.dumps(prepared))
    assert copied.address != prepared.address
    assert fast.cycles(machine, copied) == fast.cycles(machine, prepared)


def test_timed_bits_are_needed() -> None:
    """No opcode names a field that its times do not depend on."""
    machine = make_machine()
    for opcode, bits in TIMED_BITS.items():
        for field, mask in bits.items():
            pair = np.ones(2, dtype=INSTRUCTION_DTYPE)
            pair["opcode"], pair["rows"], pair["panels"] = opcode, 3, 5
            pair["flags"] = 0
            pair[field][1] = Function.SQRT if field == "function" else 2 if mask > 1 else mask
            times = instruction_times(machine, pair)
            assert times.latency[0] != times.latency[1], (opcode, field)


def _both(records: np.ndarray) -> list[fast.Prepared]:
    with library(None):
        python = fast.prepare(records)
    return [fast.prepare(records), python]
