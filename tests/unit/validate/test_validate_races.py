"""Reads of unwritten lines, races, and a HALT that comes too early."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.errors import ProgramError
from simulator.isa import Flag, Function, Opcode, UnitId
from simulator.program import Space, Traffic
from simulator.validate import validate
from tests.unit.interpreter.assembler import Assembler, make_machine
from tests.unit.validate.programs import (
    DMA,
    LOADER,
    MATRIX,
    SEQUENCER,
    TRANSPOSER,
    VECTOR,
    accept,
    product,
    refusal,
    vectors,
)

# Instructions of ``product``: 0, 1 LOAD; 2, 3 WLOAD; 4, 5 MATMUL; 6 VEC; 7 STORE; 8 HALT.
KEEP = int(Flag.SWAP)
ONE_BUFFER = {"weight_buffers": 1}


def drop_token(asm: Assembler, producer: int, consumer: int) -> None:
    """Take a token away at both ends."""
    for index in (producer, consumer):
        assert asm.fields[index]["post" if index == producer else "wait"]
    opcodes = [asm.fields[index]["opcode"] for index in (producer, consumer)]
    units = [
        {0: DMA, 1: DMA, 2: LOADER, 3: MATRIX, 4: MATRIX, 5: TRANSPOSER, 6: VECTOR, 7: SEQUENCER}[opcode]
        for opcode in opcodes
    ]
    asm.fields[producer]["post"] &= ~(1 << units[1])
    asm.fields[consumer]["wait"] &= ~(1 << units[0])


@pytest.mark.parametrize(
    ("index", "field", "value", "message"),
    [
        (1, "rows", 7, "instruction 3 (weight_loader WLOAD): src0: reads granule 414 of the unified buffer"),
        (0, "panels", 1, "instruction 5 (matrix_unit MATMUL): src0: reads granule 10 of the unified buffer"),
        (4, "src0", 302, "instruction 4 (matrix_unit MATMUL): src0: reads granule 302 of the unified buffer"),
        (6, "src0", 9, "instruction 6 (vector_unit VEC): src0: reads line 13 of the accumulators"),
        (7, "src0", 804, "instruction 7 (dma STORE): src0: reads granule 820 of the unified buffer"),
    ],
)
def test_a_read_of_what_is_not_written(index: int, field: str, value: int, message: str) -> None:
    asm = product()
    asm.fields[index][field] = value
    assert refusal(asm) == f"{message}, which nothing has written"


def test_accumulating_on_what_is_not_written() -> None:
    asm = product(1)
    asm.fields[3]["flags"] |= Flag.ACCUMULATE
    message = "dst: reads line 8 of the accumulators, which nothing has written"
    assert refusal(asm) == f"instruction 3 (matrix_unit MATMUL): {message}"


@pytest.mark.parametrize("traffic", [Traffic.FILL, Traffic.REFETCH])
def test_a_fill_before_its_spill(traffic: Traffic) -> None:
    asm = Assembler(make_machine())
    x, spill = asm.place("x", 2, 4), asm.place("spill.0", 2, 4, space=Space.HBM)
    asm.load(x, 0)
    asm.load(spill, 8, traffic=traffic)
    asm.store(spill, 0, traffic=Traffic.SPILL)
    asm.halt()
    asm.serialize()
    assert refusal(asm) == (
        "instruction 1 (dma LOAD): memory: reads granule 0 of HBM, which nothing has written"
    )


def test_a_reduction_that_goes_on_from_nothing() -> None:
    asm = vectors(lambda asm: asm.vec(Function.REDUCE_SUM, 128, 0, rows=2, flags=Flag.ACCUMULATE))
    assert "dst: reads granule 128 of the unified buffer, which nothing has written" in refusal(asm)


def test_a_carried_tensor_that_is_not_stored() -> None:
    asm = product()
    asm.placements[2] = replace(asm.placements[2], rows=6)
    asm.granules[Space.HBM_NEXT] = 24
    assert refusal(asm) == "'c' in HBM_NEXT is not stored at address 20 (it lies in 0 to 23)"


def test_a_result_that_is_stored_in_part() -> None:
    asm = Assembler(make_machine())
    x, y = asm.place("x", 2, 4), asm.place("y", 2, 4)
    asm.load(x, 0)
    asm.store(y, 0, rows=1)
    asm.halt()
    asm.serialize()
    assert refusal(asm) == "'y' in HOST is not stored at address 12 (it lies in 8 to 15)"


@pytest.mark.parametrize(
    ("producer", "consumer", "message"),
    [
        (1, 2, "instruction 2 (weight_loader WLOAD) reads granule 400 of the unified buffer before "
               "instruction 1 (dma LOAD) is known to have written it"),
        (5, 6, "instruction 6 (vector_unit VEC) reads line 8 of the accumulators before "
               "instruction 5 (matrix_unit MATMUL) is known to have written it"),
        (6, 7, "instruction 7 (dma STORE) reads granule 800 of the unified buffer before "
               "instruction 6 (vector_unit VEC) is known to have written it"),
    ],
)  # fmt: skip
def test_every_token_is_needed(producer: int, consumer: int, message: str) -> None:
    asm = product()
    drop_token(asm, producer, consumer)
    assert refusal(asm) == f"race: {message}"


def test_ends_within_a_unit_are_in_program_order() -> None:
    """The token of B's LOAD, which the WLOAD has waited for, tells the MATMUL of A's LOAD before it."""
    asm = product()
    drop_token(asm, 0, 4)
    accept(asm)
    asm.fields[0], asm.fields[1] = asm.fields[1], asm.fields[0]
    for column in (asm.traffic, asm.tensor):
        column[0], column[1] = column[1], column[0]
    assert refusal(asm) == (
        "race: instruction 4 (matrix_unit MATMUL) reads granule 0 of the unified buffer before "
        "instruction 1 (dma LOAD) is known to have written it"
    )


def test_write_after_read() -> None:
    """A LOAD over what the MATMULs stream, without waiting for the last of them."""

    def emit(wait: bool) -> Assembler:
        asm = product()
        asm.fields.pop(), asm.traffic.pop(), asm.tensor.pop()
        asm.fields[5]["post"] |= 1 << DMA if wait else 0
        asm.fields[7]["post"] = 0
        asm.load(asm.placements[0], 0, wait=[MATRIX] if wait else [], post=[SEQUENCER])
        asm.halt(wait=[DMA])
        return asm

    accept(emit(True))
    # The STORE before it has waited for the VEC, and the VEC for the last MATMUL.
    accept(emit(False))
    asm = emit(True)
    asm.fields[4]["post"], asm.fields[5]["post"] = 1 << DMA, 1 << VECTOR
    asm.fields[7], asm.fields[8] = asm.fields[8], asm.fields[7]
    asm.traffic[7], asm.traffic[8] = asm.traffic[8], asm.traffic[7]
    asm.tensor[7], asm.tensor[8] = asm.tensor[8], asm.tensor[7]
    asm.fields[7]["post"], asm.fields[8]["post"] = 0, 1
    # Now the LOAD waits for the first MATMUL only, and the second one still reads.
    assert refusal(asm) == (
        "race: instruction 7 (dma LOAD) writes granule 10 of the unified buffer before "
        "instruction 5 (matrix_unit MATMUL) is known to have read it"
    )


def test_write_after_write() -> None:
    asm = Assembler(make_machine())
    x = asm.place("x", 1, 4)
    asm.load(x, 0, post=[VECTOR])
    asm.load(x, 4, post=[VECTOR])
    asm.vec(Function.NEGATIVE, 4, 0, wait=[DMA])
    asm.vec(Function.NEGATIVE, 8, 0, wait=[DMA], post=[SEQUENCER])
    asm.halt(wait=[VECTOR])
    assert refusal(asm) == (
        "race: instruction 2 (vector_unit VEC) writes granule 4 of the unified buffer before "
        "instruction 1 (dma LOAD) is known to have written it"
    )


def test_accumulators_overwritten_before_they_are_read() -> None:
    asm = product(1)
    matmul = {**asm.fields[3], "flags": int(Flag.NONE), "wait": 0, "post": 0}
    asm.fields[3]["flags"] = KEEP
    inserted: list[tuple[Any, Any]] = [(asm.fields, matmul), (asm.traffic, 0), (asm.tensor, -1)]
    for column, value in inserted:
        column.insert(5, value)
    assert refusal(asm) == (
        "race: instruction 5 (matrix_unit MATMUL) writes line 8 of the accumulators before "
        "instruction 4 (vector_unit VEC) is known to have read it"
    )


@pytest.mark.parametrize("token", [True, False])
def test_the_dma_overlaps_in_latency(token: bool) -> None:
    """A STORE that reads what the LOAD before it writes needs a token of its own unit."""
    asm = Assembler(make_machine())
    x, y = asm.place("x", 1, 4), asm.place("y", 1, 4)
    asm.load(x, 0, post=[DMA] if token else [])
    asm.store(y, 0, wait=[DMA] if token else [], post=[SEQUENCER])
    asm.halt(wait=[DMA])
    if token:
        accept(asm)
    else:
        assert "instruction 1 (dma STORE) reads granule 0 of the unified buffer before" in refusal(asm)


@pytest.mark.parametrize("token", [True, False])
def test_the_transposer_overlaps_in_latency(token: bool) -> None:
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 4, 4), 0, post=[TRANSPOSER])
    shape: Any = {"rows": 4, "tail": 4, "item": 2}
    itself = [TRANSPOSER] if token else []
    asm.emit(Opcode.TRANSPOSE, src0=0, dst=16, wait=[DMA], post=itself, **shape)
    asm.emit(Opcode.TRANSPOSE, src0=16, dst=32, wait=itself, post=[SEQUENCER], **shape)
    asm.halt(wait=[TRANSPOSER])
    if token:
        accept(asm)
    else:
        assert "instruction 2 (transposer TRANSPOSE) reads granule 16 of the unified buffer" in refusal(asm)


def test_lines_between_the_panels_are_free() -> None:
    """Two LOADs into every other line; the VEC waits for the first and reads its lines alone."""

    def emit(first_line: int) -> Assembler:
        asm = Assembler(make_machine())
        x = asm.place("x", 3, 4)
        fields = {"panels": 3, "rows": 1, "src0_stride": 1, "dst_stride": 2}
        asm.load(x, 0, post=[VECTOR], **fields)
        asm.load(x, 4, post=[SEQUENCER], **fields)
        rest = {"panels": 3, "src0_stride": 2, "dst_stride": 1}
        asm.vec(Function.NEGATIVE, 128, first_line, wait=[DMA], post=[SEQUENCER], **rest)
        asm.halt(wait=[DMA, VECTOR])
        return asm

    accept(emit(0))
    assert "reads granule 4 of the unified buffer before instruction 1 (dma LOAD)" in refusal(emit(4))


def test_knowing_of_a_start_is_not_knowing_of_an_end() -> None:
    """The second WLOAD starts after the first, but the first's token tells nothing of the second."""
    asm = product(2)
    asm.fields[2]["post"] = 1 << DMA
    b = asm.placements[1]
    columns: list[Any] = [asm.fields, asm.traffic, asm.tensor]
    for column in columns:
        column.insert(4, column[1])
    asm.fields[4] = {**asm.fields[1], "wait": 1 << LOADER, "post": 0}
    assert b.path == "b" and refusal(asm) == (
        "race: instruction 4 (dma LOAD) writes granule 408 of the unified buffer before "
        "instruction 3 (weight_loader WLOAD) is known to have read it"
    )


@pytest.mark.parametrize("unit", [DMA, VECTOR])
def test_halt_waits_for_every_unit(unit: UnitId) -> None:
    asm = Assembler(make_machine())
    x = asm.place("x", 1, 4)
    asm.load(x, 0, post=[VECTOR])
    asm.vec(Function.NEGATIVE, 4, 0, wait=[DMA], post=[SEQUENCER])
    asm.load(x, 8, post=[SEQUENCER])
    asm.halt(wait=[DMA, VECTOR])
    accept(asm)
    drop_token(asm, {DMA: 2, VECTOR: 1}[unit], 3)
    late = {DMA: "instruction 2 (dma LOAD) of dma", VECTOR: "instruction 1 (vector_unit VEC) of vector_unit"}[
        unit
    ]
    assert refusal(asm) == f"instruction 3 (sequencer HALT): wait: {late} may still be running"


@pytest.mark.parametrize(
    ("emit", "operand"),
    [
        (lambda asm: asm.vec(Function.NEGATIVE, 4, 0, rows=4), "src0 = 0"),  # upwards
        (lambda asm: asm.vec(Function.FLOAT32_FROM_INT8, 0, 0, rows=4), "src0 = 0"),  # widening in place
        (lambda asm: asm.vec(Function.ADD, 0, 0, rows=4, src1=0, flags=Flag.SRC1_SAME_ROW), "src1 = 0"),
        (
            lambda asm: asm.vec(Function.REDUCE_SUM, 8, 0, rows=2, panels=2, src0_stride=2, dst_stride=1),
            "src0 = 0",
        ),
    ],
)
def test_a_vec_does_not_read_what_it_has_written(emit: Any, operand: str) -> None:
    message = f"instruction 1 (vector_unit VEC): {operand}: the instruction reads lines that it has written"
    assert refusal(vectors(emit)) == message


def test_an_element_that_serves_several_beats_is_not_overwritten() -> None:
    """With fewer lanes than elements the first beat would write what the second one reads."""
    asm = vectors(lambda asm: asm.vec(Function.NEGATIVE, 0, 0, flags=Flag.SRC0_REPLICATE))
    accept(asm)
    assert "src0 = 0: the instruction reads lines that it has written" in refusal(asm, make_machine(4, 4, 2))


def test_errors_are_program_errors() -> None:
    asm = product()
    asm.fields[0]["rows"] = 0
    with pytest.raises(ProgramError):
        validate(asm.program(), asm.machine)
