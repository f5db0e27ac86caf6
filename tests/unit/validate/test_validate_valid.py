"""What is right is accepted, and computes what it should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.interpreter import run_program
from simulator.isa import Flag, Function, Opcode
from simulator.numerics.kernels import elementwise, gemm
from simulator.program import Space, Traffic
from simulator.validate import validate
from tests.unit.interpreter.assembler import Assembler, make_machine
from tests.unit.validate.programs import DMA, SEQUENCER, TRANSPOSER, VECTOR, accept, chain, product, vectors


@pytest.mark.parametrize("tiles", [1, 2, 7])
@pytest.mark.parametrize(
    "unit",
    [
        {},
        {"dataflow": "is"},
        {"weight_buffers": 1},
        {"overlap": False},
        {"weight_buffers": 1, "overlap": False, "pe_latency_cycles": 3},
    ],
)
def test_a_product(tiles: int, unit: dict[str, Any]) -> None:
    asm = product(tiles, matrix_unit=unit)
    program = asm.program()
    validate(program, asm.machine)
    rng = np.random.default_rng(0)
    shapes = (5, 4 * tiles), (4 * tiles, 4)
    a, b = (elementwise("to_bfloat16", rng.standard_normal(shape).astype(np.float32)) for shape in shapes)
    result = run_program(program, asm.machine, {"a": a, "b": b}, []).read("c")
    np.testing.assert_array_equal(result, gemm(a, b, rows=4, dataflow="ws"))


def test_an_output_stationary_chain() -> None:
    asm = chain()
    accept(asm)


def test_the_smallest_program() -> None:
    asm = Assembler(make_machine())
    asm.halt()
    accept(asm)


def test_every_function_of_the_vector_unit() -> None:
    asm = vectors(*[
        lambda asm, function=function: asm.vec(
            function, 128, 0, src1=16, src2=32, rows=2, panels=2,
            src0_stride=2, src1_stride=2, src2_stride=2, dst_stride=2,
        )
        for function in Function
    ])  # fmt: skip
    accept(asm)


def test_all_flags_of_memories() -> None:
    asm = Assembler(make_machine())
    now = asm.place("w", 2, 4, space=Space.HBM_CURRENT)
    then = asm.place("w", 2, 4, space=Space.HBM_NEXT)
    spill = asm.place("spill.0", 2, 4, space=Space.HBM)
    table, constant = asm.place("scalars", 2, 1), asm.place("constant.0", 2, 4, space=Space.HBM)
    asm.constants["constant.0"] = np.zeros((2, 4), np.float32)
    asm.load(now, 0)
    asm.load(table, 16)
    asm.load(constant, 32)
    asm.store(spill, 0, traffic=Traffic.SPILL)
    asm.load(spill, 48, traffic=Traffic.FILL)
    asm.store(then, 48)
    asm.load(then, 64, traffic=Traffic.FILL)
    asm.halt()
    asm.serialize()
    accept(asm)


def test_a_tile_may_serve_several_matmuls_and_need_not_be_released_at_the_end() -> None:
    asm = product(1)
    first = asm.fields[3]
    asm.fields.insert(4, {**first, "flags": int(Flag.ACCUMULATE), "wait": 0})
    asm.traffic.insert(4, 0)
    asm.tensor.insert(4, -1)
    first["flags"], first["post"] = int(Flag.SWAP), 0
    accept(asm)


def test_in_order_units_need_no_token_for_what_they_overwrite() -> None:
    """LOAD over what a STORE reads, LOAD over LOAD: the DMA is in order. VEC after VEC likewise."""
    asm = Assembler(make_machine())
    x, y, z = (asm.place(path, 1, 4) for path in "xyz")
    asm.load(x, 0, post=[DMA])
    asm.store(y, 0, wait=[DMA])
    asm.load(x, 0)
    asm.load(z, 0, post=[VECTOR])
    asm.vec(Function.NEGATIVE, 4, 0, wait=[DMA])
    asm.vec(Function.NEGATIVE, 4, 4, post=[SEQUENCER])
    asm.halt(wait=[VECTOR])
    accept(asm)


def test_knowledge_is_passed_on() -> None:
    """A STORE that waits for the VEC alone knows of the LOAD and the TRANSPOSE that the VEC waited for."""
    asm = Assembler(make_machine())
    x, y, z = (asm.place(path, 4, 4) for path in "xyz")
    asm.load(x, 0, post=[TRANSPOSER])
    asm.emit(Opcode.TRANSPOSE, src0=0, dst=16, rows=4, tail=4, item=2, wait=[DMA], post=[VECTOR])
    asm.vec(Function.COPY, 32, 16, rows=4, wait=[TRANSPOSER], post=[DMA])
    asm.store(y, 16, wait=[VECTOR])
    asm.store(z, 0, post=[SEQUENCER])
    asm.halt(wait=[DMA])
    accept(asm)


@pytest.mark.parametrize(
    "emit",
    [
        lambda asm: asm.vec(Function.ADD, 128, 0, src1=60, rows=4, flags=Flag.SRC1_SAME_ROW),
        lambda asm: asm.vec(Function.REDUCE_SUM, 2044, 0, rows=4),
        lambda asm: asm.emit(Opcode.TRANSPOSE, src0=0, dst=2044, rows=4, tail=1, item=2),
    ],
)
def test_the_last_line_is_there(emit: Any) -> None:
    """One line is read or written, though ``rows`` is 4."""
    accept(vectors(emit))


def test_results_may_lie_in_the_place_of_an_input() -> None:
    asm = Assembler(make_machine())
    x = asm.place("x", 2, 4, space=Space.HBM)
    asm.placements.append(type(x)("y", x.space, x.address, x.rows, x.cols, x.dtype))
    asm.load(x, 0)
    asm.store(asm.placements[-1], 0)
    asm.halt()
    asm.serialize()
    accept(asm)


@pytest.mark.parametrize(
    "emit",
    [
        lambda asm: asm.vec(Function.ADD, 0, 0, rows=4, src1=0),  # in place
        lambda asm: asm.vec(Function.TO_BFLOAT16, 0, 0, rows=4),  # narrowing in place
        lambda asm: asm.vec(
            Function.NEGATIVE, 0, 4, rows=4
        ),  # downwards: every line is read before it is written
        lambda asm: asm.vec(Function.REDUCE_SUM, 0, 0, rows=4),
        lambda asm: asm.vec(Function.EXP, 0, 0, flags=Flag.SRC0_REPLICATE, tail=1),
    ],
)
def test_a_function_may_overwrite_what_it_has_read(emit: Any) -> None:
    accept(vectors(emit))
