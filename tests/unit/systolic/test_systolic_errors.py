"""Programs that never end, or end too early: one clear line instead of a Python error."""

from __future__ import annotations

import numpy as np
import pytest

from simulator.errors import DeadlockError, ProgramError
from simulator.isa import INSTRUCTION_DTYPE, Flag, Opcode, Records, UnitId
from simulator.systolic import simulate
from tests.unit.systolic.programs import Assembler, make_machine

MACHINE = make_machine(sequencer__queue_depth=2)


def deadlock(records: Records) -> str:
    with pytest.raises(DeadlockError) as error:
        simulate(MACHINE, records)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_token_that_nobody_posts() -> None:
    program = Assembler()
    program.add(Opcode.LOAD, wait=(UnitId.VECTOR,))
    assert deadlock(program.finish()) == (
        "deadlock at cycle 2: sequencer instruction 1 (HALT) waits for a token from dma; "
        "dma instruction 0 (LOAD) waits for a token from vector_unit; "
        "vector_unit waits for an instruction (its queue is empty); "
        "wait cycle: sequencer -> dma -> vector_unit -> sequencer"
    )


def test_two_units_that_wait_for_each_other() -> None:
    program = Assembler()
    program.add(Opcode.LOAD, wait=(UnitId.VECTOR,), post=(UnitId.VECTOR,))
    program.add(Opcode.VEC, wait=(UnitId.DMA,), post=(UnitId.DMA,))
    text = deadlock(program.finish())
    assert text.startswith(
        "deadlock at cycle 3: dma instruction 0 (LOAD) waits for a token from vector_unit; vector_unit "
    )
    assert "; sequencer instruction 2 (HALT) waits for a token from dma; " in text
    assert text.endswith("; wait cycle: dma -> vector_unit -> dma")


def test_swap_without_weights() -> None:
    program = Assembler()
    program.add(Opcode.MATMUL, flags=Flag.SWAP, rows=4)
    text = deadlock(program.finish())
    assert "matrix_unit instruction 0 (MATMUL) waits for the weights of a tile from weight_shifter" in text
    assert "weight_shifter waits for the weights of a tile from weight_loader" in text
    assert text.endswith(
        "wait cycle: sequencer -> matrix_unit -> weight_shifter -> weight_loader -> sequencer"
    )


def test_weight_fifo_that_nobody_empties() -> None:
    program = Assembler()
    for _ in range(4):
        program.add(Opcode.WLOAD)
    text = deadlock(program.finish())  # one tile in the registers, two in the FIFO
    assert "weight_loader instruction 3 (WLOAD) waits for a free slot of the weight FIFO" in text
    assert "weight_shifter waits for a MATMUL to release the weight registers" in text


def test_full_queue_holds_back_the_post() -> None:
    program = Assembler()
    for _ in range(3):
        program.add(Opcode.VEC, wait=(UnitId.DMA,))
    for _ in range(3):
        program.add(Opcode.LOAD, post=(UnitId.VECTOR,))
    text = deadlock(program.finish())
    assert "sequencer instruction 2 (VEC) waits for room in the queue of vector_unit" in text
    assert text.endswith("wait cycle: sequencer -> vector_unit -> dma -> sequencer")


def test_a_deadlock_is_there_when_the_last_token_has_arrived() -> None:
    program = Assembler()
    program.add(Opcode.LOAD, post=(UnitId.TRANSPOSER,), rows=2, item=2)  # 8 cycles and a latency of 5
    program.add(Opcode.LOAD, wait=(UnitId.VECTOR,))
    assert deadlock(program.finish()).startswith("deadlock at cycle 14: sequencer instruction 2 (HALT) ")


def test_halt_must_be_last_and_alone() -> None:
    load = Assembler()
    load.add(Opcode.LOAD)
    twice = Assembler()
    twice.add(Opcode.HALT)
    for records in (np.zeros(0, dtype=INSTRUCTION_DTYPE), load.records(), twice.finish()):
        with pytest.raises(ProgramError, match="ends with its one HALT"):
            simulate(MACHINE, records)


def test_halt_must_wait_for_everything() -> None:
    program = Assembler()
    program.add(Opcode.LOAD)
    program.add(Opcode.HALT)
    with pytest.raises(ProgramError, match=r"before instruction 0 \(LOAD\) of dma has ended"):
        simulate(MACHINE, program.records())
    program = Assembler()
    program.add(Opcode.WLOAD)
    with pytest.raises(ProgramError, match=r"weights of instruction 0 \(WLOAD\) enter the array"):
        simulate(MACHINE, program.finish())


def test_fields_that_make_no_sense() -> None:
    for fields, message in (({"rows": 0}, "moves nothing"), ({"wait": 64}, "field wait = 64")):
        program = Assembler()
        program.add(Opcode.LOAD)
        records = program.finish()
        for name, value in fields.items():
            records[0][name] = value
        with pytest.raises(ProgramError, match=message):
            simulate(MACHINE, records)
