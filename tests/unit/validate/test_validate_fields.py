"""One broken field at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.isa import Flag, Function, Opcode, join_sub_lines
from simulator.program import Placement, Space
from tests.unit.interpreter.assembler import Assembler, make_machine
from tests.unit.validate.programs import chain, product, refusal, vectors

# Instructions of ``product``: 0, 1 LOAD; 2, 3 WLOAD; 4, 5 MATMUL; 6 VEC; 7 STORE; 8 HALT.
ROWS_64K = 1 << 16


@pytest.mark.parametrize(
    ("index", "field", "value", "message"),
    [
        (0, "item", 3, "instruction 0 (dma LOAD): item = 3: 0 to 2 is allowed"),
        (0, "rows", 0, "instruction 0 (dma LOAD): rows = 0: 1 to 65535 is allowed"),
        (0, "panels", 0, "instruction 0 (dma LOAD): panels = 0: 1 to 65535 is allowed"),
        (0, "rows", ROWS_64K, "instruction 0: rows = 65536: 16 bits are allowed"),
        (0, "opcode", 8, "instruction 0: opcode = 8: 3 bits are allowed"),
        (0, "dst_stride", 4, "instruction 0 (dma LOAD): dst_stride = 4: the destination's panels overlap"),
        (0, "dst", 1, "instruction 0 (dma LOAD): dst = 1: a multiple of 2 is allowed"),
        (0, "dst", 2046, "dst = 2046: reaches to 2066; the unified buffer has 2048 granules"),
        (0, "src1", 1, "instruction 0 (dma LOAD): memory = 1: a multiple of 2 is allowed"),
        (0, "src1", 100, "instruction 0 (dma LOAD): memory = 100: reaches to 120; HOST has 36 granules"),
        (0, "src1", 2, "instruction 0 (dma LOAD): memory = 2: 2 to 21, but 'a' lies in 0 to 19"),
        (0, "src2", 1, "instruction 0 (dma LOAD): memory = 16777216: reaches to"),
        (0, "flags", Flag.HOST | Flag.NEXT, "flags = 5: one of HOST, CURRENT, NEXT or none is allowed"),
        (0, "flags", Flag.HOST | Flag.SWAP, "instruction 0 (dma LOAD): flags = 17: SWAP not allowed here"),
        (2, "rows", 5, "instruction 2 (weight_loader WLOAD): rows = 5: 1 to 4 is allowed"),
        (2, "rows", 0, "instruction 2 (weight_loader WLOAD): rows = 0: 1 to 4 is allowed"),
        (2, "item", 2, "instruction 2 (weight_loader WLOAD): item = 2: 0 to 1 is allowed"),
        (2, "src2", 1, "instruction 2 (weight_loader WLOAD): sub0 = 1: 0 to 0 is allowed"),
        (2, "src0", 401, "instruction 2 (weight_loader WLOAD): src0 = 401: a multiple of 2 is allowed"),
        (2, "flags", Flag.INTEGER, "flags = 32: INTEGER not allowed here"),
        (4, "rows", 0, "instruction 4 (matrix_unit MATMUL): rows = 0: 1 to 65535 is allowed"),
        (4, "tail", 5, "instruction 4 (matrix_unit MATMUL): tail = 5: 1 to 4 is allowed"),
        (4, "tail", 0, "instruction 4 (matrix_unit MATMUL): tail = 0: 1 to 4 is allowed"),
        (4, "item", 0, "instruction 4 (matrix_unit MATMUL): item = 0: 1, with INTEGER 0, is allowed"),
        (4, "src2", join_sub_lines(1, 0), "instruction 4 (matrix_unit MATMUL): sub0 = 1: 0 to 0 is allowed"),
        (4, "src2", join_sub_lines(0, 1), "instruction 4 (matrix_unit MATMUL): sub1 = 1: 0 to 0 is allowed"),
        (4, "dst", 60, "dst = 60: reaches to 65; the accumulators has 64 lines"),
        (4, "src0", 2040, "src0 = 2040: reaches to 2050; the unified buffer has 2048 granules"),
        (6, "tail", 0, "instruction 6 (vector_unit VEC): tail = 0: 1 to 4 is allowed"),
        (6, "tail", 5, "instruction 6 (vector_unit VEC): tail = 5: 1 to 4 is allowed"),
        (6, "function", 27, "instruction 6 (vector_unit VEC): function = 27: 0 to 26 is allowed"),
        (6, "panels", 0, "instruction 6 (vector_unit VEC): panels = 0: 1 to 65535 is allowed"),
        (6, "item", 1, "instruction 6 (vector_unit VEC): item = 1: 2 is allowed with SRC0_ACCUMULATOR"),
        (6, "flags", Flag.SRC1_REPLICATE, "flags = 1024: SRC1_REPLICATE not allowed here"),
        (6, "flags", Flag.ACCUMULATE, "flags = 8: ACCUMULATE not allowed here"),
        (6, "dst", 802, "instruction 6 (vector_unit VEC): dst = 802: a multiple of 4 is allowed"),
        (8, "post", 1, "instruction 8 (sequencer HALT): post = 1: nothing can wait for HALT; 0 is allowed"),
    ],
)  # fmt: skip
def test_a_field_out_of_range(index: int, field: str, value: int, message: str) -> None:
    asm = product()
    asm.fields[index][field] = int(value)
    assert message in refusal(asm)


@pytest.mark.parametrize(
    ("function", "fields", "message"),
    [
        (Function.COPY, {"item": 3}, "item = 3: 0 to 2 is allowed"),
        (Function.COPY, {"rows": 0}, "rows = 0: 1 to 65535 is allowed"),
        (Function.MULTIPLY, {"flags": Flag.INTEGER}, "flags = 32: INTEGER not allowed here"),
        (Function.TANH, {"flags": Flag.INTEGER}, "INTEGER not allowed here"),
        (Function.REDUCE_SUM, {"flags": Flag.SRC0_SAME_ROW}, "SRC0_SAME_ROW not allowed here"),
        (Function.REDUCE_SUM, {"flags": Flag.SRC0_REPLICATE}, "SRC0_REPLICATE not allowed here"),
        (Function.FLOAT32_FROM_INT8, {"flags": Flag.SRC0_ACCUMULATOR}, "SRC0_ACCUMULATOR not allowed here"),
        (Function.ADD, {"flags": Flag.SRC2_SAME_ROW}, "SRC2_SAME_ROW not allowed here"),
        (Function.ADD, {"flags": Flag.HOST | Flag.SWAP}, "HOST, SWAP not allowed here"),
        (Function.ADD, {"src1": 2}, "src1 = 2: a multiple of 4 is allowed"),
        (Function.SELECT, {"src2": 2048}, "src2 = 2048: reaches to 2052"),
        (
            Function.COPY,
            {"panels": 2, "rows": 2, "dst_stride": 1},
            "dst_stride = 1: the destination's panels overlap",
        ),
        (Function.REDUCE_MAX, {"panels": 2, "rows": 2}, "dst_stride = 0: the destination's panels overlap"),
        (
            Function.COPY,
            {"src0": 60, "flags": Flag.SRC0_ACCUMULATOR, "rows": 5},
            "the accumulators has 64 lines",
        ),
    ],
)
def test_a_field_of_a_function(function: Function, fields: dict[str, int], message: str) -> None:
    asm = vectors(lambda asm: asm.vec(function, 128, **{"src0": 0, **fields}))
    assert f"instruction 1 (vector_unit VEC): {message}" in refusal(asm) or message in refusal(asm)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 5}, "instruction 1 (transposer TRANSPOSE): rows = 5: 1 to 4 is allowed"),
        ({"tail": 5}, "instruction 1 (transposer TRANSPOSE): tail = 5: 1 to 4 is allowed"),
        ({"tail": 0}, "instruction 1 (transposer TRANSPOSE): tail = 0: 1 to 4 is allowed"),
        ({"item": 3}, "instruction 1 (transposer TRANSPOSE): item = 3: 0 to 2 is allowed"),
        ({"dst": 2036, "rows": 1}, "dst = 2036: reaches to 2052"),
        ({"dst": 2040}, "instruction 1 (transposer TRANSPOSE): dst = 2040: reaches to 2056"),
        ({"flags": Flag.INTEGER}, "INTEGER not allowed here"),
    ],
)
def test_a_field_of_transpose(fields: dict[str, int], message: str) -> None:
    shape: Any = {"src0": 0, "dst": 128, "rows": 4, "tail": 4, "item": 2}
    assert message in refusal(vectors(lambda asm: asm.emit(Opcode.TRANSPOSE, **{**shape, **fields})))


@pytest.mark.parametrize(
    ("index", "field", "value", "message"),
    [
        (1, "flags", Flag.SWAP, "instruction 1 (matrix_unit MATMUL): flags = 16: SWAP not allowed here"),
        (1, "flags", Flag.RELEASE, "RELEASE not allowed here"),
        (1, "src1", 1, "instruction 1 (matrix_unit MATMUL): src1 = 1: a multiple of 2 is allowed"),
        (3, "rows", 5, "instruction 3 (matrix_unit DRAIN): rows = 5: 1 to 4 is allowed"),
        (3, "src2", join_sub_lines(0, 1), "instruction 3 (matrix_unit DRAIN): sub1 = 1: 0 to 0 is allowed"),
        (3, "dst", 61, "dst = 61: reaches to 65; the accumulators has 64 lines"),
        (3, "opcode", Opcode.WLOAD, "opcode: not on an array of dataflow 'os'"),
    ],
)
def test_a_field_of_an_output_stationary_array(index: int, field: str, value: int, message: str) -> None:
    asm = chain()
    asm.fields[index][field] = int(value)
    assert message in refusal(asm)


def test_no_drain_on_a_weight_stationary_array() -> None:
    asm = product()
    asm.fields[5]["opcode"] = int(Opcode.DRAIN)
    asm.fields[5]["flags"] = 0
    assert "instruction 5 (matrix_unit DRAIN): opcode: not on an array of dataflow 'ws'" in refusal(asm)


def test_a_core_is_made_of_powers_of_two() -> None:
    assert "must be powers of two" in refusal(product(), make_machine(3, 4, 4))


def test_halt_is_the_last_instruction() -> None:
    asm = product()
    asm.fields[3]["opcode"] = int(Opcode.HALT)
    asm.fields[3]["flags"] = 0
    assert "HALT is instruction 3: exactly one is allowed, as the last of 9 instructions" in refusal(asm)
    assert "HALT is nowhere" in refusal(Assembler(make_machine()))


@pytest.mark.parametrize("name", ["operation", "traffic", "macs", "tensor"])
def test_arrays_run_parallel(name: str) -> None:
    short: Any = {name: np.zeros(3, np.int64)}
    assert refusal(product(), **short) == f"{name} has 3 entries for 9 instructions"


def test_more_memory_than_there_is() -> None:
    size = {Space.HBM: 1 << 22, Space.HBM_NEXT: 20, Space.HOST: 36}
    assert "bytes of HBM are used: 16777216 are allowed" in refusal(product(), memory_granules=size)


def misplaced(change: dict[str, Any]) -> str:
    asm = product()
    asm.placements[0] = replace(asm.placements[0], **change)
    return refusal(asm)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dtype": "float64"}, "placement of 'a' in HOST: dtype 'float64': float32, int32,"),
        ({"rows": 0}, "placement of 'a' in HOST: 0 x 8: at least 1 x 1 is allowed"),
        ({"address": 1}, "placement of 'a' in HOST: address 1: a multiple of 2 is allowed"),
        ({"rows": 50}, "placement of 'a' in HOST: reaches to 200; the memory has 36 granules"),
        ({"address": 2}, "'a' and 'b' overlap in HOST"),
        ({"path": "scalars"}, "placement of 'scalars' in HOST: one column of 4-byte elements is allowed"),
    ],
)
def test_a_wrong_placement(change: dict[str, Any], message: str) -> None:
    assert message in misplaced(change)


def test_constants_are_placed_as_they_are() -> None:
    value = np.zeros((5, 9), np.uint16)
    assert refusal(product(), constants={"z": value}) == "constant 'z' is not placed"
    assert "placement of 'a' in HOST: its value is uint16[5, 9]" in refusal(product(), constants={"a": value})


def test_nothing_is_stored_into_what_the_host_has_written_for_good() -> None:
    asm = Assembler(make_machine())
    x = asm.place("x", 2, 4, space=Space.HBM)
    constant = asm.place("constant.0", 2, 4, space=Space.HBM)
    asm.constants["constant.0"] = np.zeros((2, 4), np.float32)
    asm.load(x, 0)
    asm.store(constant, 0)
    asm.halt()
    asm.serialize()
    assert (
        "instruction 1 (dma STORE): memory = 8: STORE into 'constant.0', which the host has written"
        in refusal(asm)
    )


def test_spills_may_share_room_with_spills_alone() -> None:
    asm = product()
    one = Placement("spill.0", Space.HBM, 0, 4, 4, "float32")
    two = replace(one, path="spill.1", address=4)
    three = replace(one, path="kept", address=24, rows=1)
    size = {**asm.granules, Space.HBM: 40}
    asm.placements += [replace(one, rows=8), two, three]
    assert refusal(asm, memory_granules=size) == "'spill.0' and 'kept' overlap in HBM"
