"""One small Program per opcode, with results computed by hand or by the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.errors import ProgramError
from simulator.interpreter import MemoryState, run_program
from simulator.isa import Flag, Function, Opcode
from simulator.numerics.kernels import elementwise, gemm, gemm_int8
from simulator.program import Program, Space, Traffic
from tests.unit.interpreter.assembler import Assembler, bfloat16, make_machine

RNG = np.random.default_rng(5)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


def run(asm: Assembler, **inputs: Any) -> MemoryState:
    return run_program(asm.program(), asm.machine, inputs, [])


def buffer(state: MemoryState, address: int, rows: int, dtype: Any = np.float32) -> Any:
    return state.core.buffer.lines(address, np.dtype(dtype), rows)[0]


def accumulators(state: MemoryState, line: int, rows: int, dtype: Any = np.float32) -> Any:
    return state.core.accumulators.lines(line, np.dtype(dtype), rows)[0]


def bits(array: Any) -> Any:
    return np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}")


@pytest.mark.parametrize("dtype", ["float32", "int32", "bfloat16", "int8"])
def test_load_and_store_move_panels_of_lines(dtype: str) -> None:
    asm = Assembler(make_machine())
    storage = {"float32": np.float32, "int32": np.int32, "bfloat16": np.uint16, "int8": np.int8}[dtype]
    x = asm.place("x", 3, 10, dtype)  # three panels, the last of two columns
    y = asm.place("y", 3, 10, dtype, Space.HBM_NEXT)
    asm.load(x, 16)
    asm.store(y, 16)
    value = RNG.integers(0, 100, (3, 10)).astype(storage)
    state = run(asm, x=value)
    np.testing.assert_array_equal(state.read("y"), value)
    lines = buffer(state, 16, 9, storage)
    np.testing.assert_array_equal(lines[3:6], value[:, 4:8])
    np.testing.assert_array_equal(lines[6:9, :2], value[:, 8:])


def test_strides_count_lines_of_the_operand() -> None:
    asm = Assembler(make_machine())
    x = asm.place("x", 6, 4)
    asm.load(x, 0, panels=2, rows=2, src0_stride=3, dst_stride=5)
    value = floats(6, 4)
    state = run(asm, x=value)
    np.testing.assert_array_equal(buffer(state, 0, 2), value[0:2])
    np.testing.assert_array_equal(buffer(state, 20, 2), value[3:5])


@pytest.mark.parametrize("space", Space)
def test_flags_choose_the_memory(space: Space) -> None:
    asm = Assembler(make_machine())
    for other in Space:
        asm.place("padding", 1, 4, "float32", other)
    x = asm.place("x", 1, 4)
    y = asm.place("y", 1, 4, "float32", space)
    asm.load(x, 0)
    asm.vec(Function.NEGATIVE, 4, 0)
    asm.store(y, 4)
    asm.load(y, 8, traffic=Traffic.FILL)
    value = floats(1, 4)
    state = run(asm, x=value)
    np.testing.assert_array_equal(buffer(state, 8, 1), -value)
    for other in Space:
        there = (-value).tobytes() in state.core.off_chip[other].data.tobytes()
        assert there == (other is space)


def test_off_chip_addresses_have_48_bits() -> None:
    asm = Assembler(make_machine())
    asm.granules[Space.HBM] = 1 << 24
    y = asm.place("y", 1, 4, "float32", Space.HBM)
    x = asm.place("x", 1, 4)
    asm.load(x, 0)
    asm.store(y, 0)
    assert asm.fields[1]["src2"] == 1
    value = floats(1, 4)
    np.testing.assert_array_equal(run(asm, x=value).read("y"), value)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_transpose_zeroes_what_no_line_was_read_for(dtype: str) -> None:
    asm = Assembler(make_machine())
    storage = {"float32": np.float32, "bfloat16": np.uint16, "int8": np.int8}[dtype]
    x = asm.place("x", 3, 4, dtype)
    asm.load(x, 0)
    asm.emit(Opcode.TRANSPOSE, src0=0, dst=32, rows=3, tail=2, item=asm.fields[0]["item"])
    value = RNG.integers(1, 100, (3, 4)).astype(storage)
    state = run(asm, x=value)
    expected = np.zeros((2, 4), storage)
    expected[:, :3] = value[:, :2].T
    np.testing.assert_array_equal(buffer(state, 32, 2, storage), expected)
    untouched = run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    np.testing.assert_array_equal(
        state.core.buffer.data[32 * 4 + expected.nbytes :],
        untouched.core.buffer.data[32 * 4 + expected.nbytes :],
    )


def matmul_program(asm: Assembler, tiles: int, **changes: Any) -> None:
    """``tiles`` K-tiles of 4 of a (5, 4 tiles) x (4 tiles, 4) product, accumulated from line 7 on."""
    a = asm.place("a", 5, 4 * tiles, "bfloat16")
    b = asm.place("b", 4 * tiles, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 100)
    for tile in range(tiles):
        asm.wload(100 + 8 * tile)
    for tile in range(tiles):
        flags = Flag.SWAP | Flag.RELEASE | (Flag.ACCUMULATE if tile else Flag.NONE)
        asm.matmul(10 * tile, 7, rows=5, flags=flags, **changes)


@pytest.mark.parametrize("dataflow", ["ws", "is"])
def test_matmul_of_three_k_tiles_is_the_kernels_product(dataflow: str) -> None:
    asm = Assembler(make_machine(matrix_unit={"dataflow": dataflow}))
    matmul_program(asm, 3)
    a = elementwise("to_bfloat16", floats(5, 12))
    b = elementwise("to_bfloat16", floats(12, 4))
    state = run(asm, a=a, b=b)
    expected = gemm(a, b, rows=4, dataflow=dataflow)
    np.testing.assert_array_equal(bits(accumulators(state, 7, 5)), bits(expected))


def test_the_array_adds_down_its_rows_and_then_tile_by_tile() -> None:
    """Sums that depend on the order: 2^24 + 1 - 2^24 is 0 within a tile, 1 where the 1 comes last."""
    asm = Assembler(make_machine(rows=2, cols=4, lanes=4))
    a = asm.place("a", 1, 4, "bfloat16")
    b = asm.place("b", 4, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 8)
    asm.wload(8)
    asm.wload(12)
    asm.matmul(0, 0, flags=Flag.SWAP, sub0=0)
    asm.matmul(0, 0, flags=Flag.SWAP | Flag.ACCUMULATE, sub0=1)
    ones = bfloat16(np.ones((1, 4)))
    weights = np.zeros((4, 4))
    weights[:, 0] = [2**24, 1, -(2**24), 1]  # (2^24 + 1) + (-2^24 + 1) = 2^24 - (2^24 - 1)
    weights[:, 1] = [2**24, -(2**24), 1, 1]
    weights[:, 2] = [1, 2**24, -(2**24), 0]
    state = run(asm, a=ones, b=bfloat16(weights))
    assert accumulators(state, 0, 1)[0].tolist() == [1.0, 2.0, 0.0, 0.0]


def test_the_first_tile_replaces_and_keeps_a_negative_zero() -> None:
    asm = Assembler(make_machine())
    a = asm.place("a", 1, 4, "bfloat16")
    b = asm.place("b", 4, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 8)
    asm.wload(8)
    asm.matmul(0, 0, flags=Flag.SWAP, tail=1)
    asm.matmul(0, 1, tail=2)
    tiny = bfloat16(np.full((1, 4), -(2.0**-100)))
    state = run(asm, a=tiny, b=bfloat16(np.full((4, 4), 2.0**-100)))
    sums = accumulators(state, 0, 2)
    assert bits(sums[0]).tolist() == [0x80000000] * 4  # fma(-tiny, tiny, +0) underflows to -0
    assert bits(sums[1]).tolist() == [0x80000000] * 4


def test_rows_of_the_array_beyond_the_tail_pass_the_sum_through() -> None:
    """Stale weights and garbage beyond the valid k take no part, though they are NaN."""
    asm = Assembler(make_machine())
    a = asm.place("a", 1, 4, "bfloat16")
    b = asm.place("b", 4, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 8)
    asm.wload(8, rows=3)
    asm.matmul(0, 0, flags=Flag.SWAP, tail=2)
    left = bfloat16(np.array([[2.0, 3.0, np.nan, np.nan]]))
    weights = bfloat16(np.full((4, 4), [[1.0], [5.0], [np.nan], [np.nan]]))
    assert accumulators(run(asm, a=left, b=weights), 0, 1)[0].tolist() == [17.0] * 4


def test_matmul_writes_its_sub_line_alone() -> None:
    asm = Assembler(make_machine(rows=4, cols=2, lanes=4))
    a = asm.place("a", 2, 4, "bfloat16")
    b = asm.place("b", 4, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 8)
    asm.wload(8, sub0=1)
    asm.matmul(0, 3, rows=2, flags=Flag.SWAP, sub1=1)
    x, w = elementwise("to_bfloat16", floats(2, 4)), elementwise("to_bfloat16", floats(4, 4))
    state, empty = run(asm, a=x, b=w), run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    lines = accumulators(state, 3, 2)
    np.testing.assert_array_equal(lines[:, 2:], gemm(x, w[:, 2:], rows=4, dataflow="ws"))
    np.testing.assert_array_equal(bits(lines[:, :2]), bits(accumulators(empty, 3, 2)[:, :2]))


def test_a_tile_stays_active_until_the_next_swap() -> None:
    asm = Assembler(make_machine())
    matmul_program(asm, 2)
    asm.matmul(0, 20, rows=5)  # the first K-tile of a with the second tile of b
    a, b = elementwise("to_bfloat16", floats(5, 8)), elementwise("to_bfloat16", floats(8, 4))
    state = run(asm, a=a, b=b)
    expected = gemm(np.ascontiguousarray(a[:, :4]), b[4:], rows=4, dataflow="ws")
    np.testing.assert_array_equal(accumulators(state, 20, 5), expected)


def test_integer_matmul_wraps() -> None:
    asm = Assembler(make_machine())
    a, b = asm.place("a", 5, 8, "int8"), asm.place("b", 8, 4, "int8")
    asm.load(a, 0)
    asm.load(b, 16)
    for tile in range(2):
        asm.wload(16 + 4 * tile, item=0)
    for tile in range(2):
        accumulate = Flag.ACCUMULATE if tile else Flag.NONE
        asm.matmul(5 * tile, 0, rows=5, item=0, flags=Flag.SWAP | Flag.INTEGER | accumulate)
    x, w = (RNG.integers(-128, 128, shape).astype(np.int8) for shape in ((5, 8), (8, 4)))
    state = run(asm, a=x, b=w)
    np.testing.assert_array_equal(accumulators(state, 0, 5, np.int32), gemm_int8(x, w))


@pytest.mark.parametrize("integer", [False, True])
def test_output_stationary_chains_go_on_until_they_are_drained(integer: bool) -> None:
    asm = Assembler(make_machine(rows=4, cols=2, lanes=4, matrix_unit={"dataflow": "os"}))
    dtype, item, flag = ("int8", 0, Flag.INTEGER) if integer else ("bfloat16", 1, Flag.NONE)
    a, b = asm.place("a", 9, 4, dtype), asm.place("b", 9, 4, dtype)
    asm.load(a, 0)
    asm.load(b, 32)
    for first, rows in ((0, 4), (4, 5)):
        accumulate = Flag.ACCUMULATE if first else Flag.NONE
        addresses = {"src0": first << item, "src1": 32 + (first << item)}
        asm.matmul(rows=rows, item=item, flags=flag | accumulate, sub1=1, **addresses)
    asm.emit(Opcode.DRAIN, rows=3, dst=2, flags=flag, sub1=1)
    x: Any
    w: Any
    if integer:
        x, w = (RNG.integers(-128, 128, (9, 4)).astype(np.int8) for _ in "ab")
        expected: Any = gemm_int8(x, w[:, 2:], transpose_a=True)
    else:
        x, w = (elementwise("to_bfloat16", floats(9, 4)) for _ in "ab")
        expected = gemm(x, w[:, 2:], transpose_a=True, rows=4, dataflow="os")
    state, empty = run(asm, a=x, b=w), run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    lines = accumulators(state, 2, 4, expected.dtype)
    np.testing.assert_array_equal(bits(lines[:3, 2:]), bits(expected[:3]))
    before = accumulators(empty, 2, 4, expected.dtype)
    np.testing.assert_array_equal(bits(lines[:, :2]), bits(before[:, :2]))
    np.testing.assert_array_equal(bits(lines[3]), bits(before[3]))  # rows is 3


def test_output_stationary_starts_from_zero_without_accumulate() -> None:
    asm = Assembler(make_machine(matrix_unit={"dataflow": "os"}))
    a = asm.place("a", 2, 4, "bfloat16")
    asm.load(a, 0)
    asm.matmul(0, src1=0, rows=2)
    asm.matmul(0, src1=0, rows=1)
    asm.emit(Opcode.DRAIN, rows=4)
    x = elementwise("to_bfloat16", floats(2, 4))
    expected = gemm(x[:1], x[:1], transpose_a=True, rows=4, dataflow="os")
    np.testing.assert_array_equal(accumulators(run(asm, a=x), 0, 4), expected)


def test_halt_changes_nothing() -> None:
    asm = Assembler(make_machine())
    asm.halt()
    state, empty = run(asm), run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    np.testing.assert_array_equal(state.core.buffer.data, empty.core.buffer.data)


def test_what_is_not_written_depends_on_the_seed() -> None:
    program, machine = Assembler(make_machine()).program(), make_machine()
    one, two = (run_program(program, machine, {}, [], seed=seed).core.buffer.data for seed in (1, 2))
    again = run_program(program, machine, {}, [], seed=1).core.buffer.data
    assert not np.array_equal(one, two)
    np.testing.assert_array_equal(one, again)
    assert len(np.unique(one)) > 200  # neither zeros nor a constant


def first_error(emit: Any, **overrides: Any) -> str:
    asm = Assembler(make_machine(**overrides))
    emit(asm)
    with pytest.raises(ProgramError) as raised:
        run_program(asm.program(), asm.machine, {}, [])
    return str(raised.value)


OS = {"matrix_unit": {"dataflow": "os"}}


@pytest.mark.parametrize(
    ("emit", "overrides", "message"),
    [
        (lambda a: a.vec(Function.COPY, 0, 2046), {}, "address 2046 is not a multiple of 4"),
        (lambda a: a.vec(Function.COPY, 0, 2048), {}, "do not lie within 2048 granules"),
        (lambda a: a.vec(Function.COPY, 0, 0, tail=5), {}, "tail = 5: 1 to 4 is allowed"),
        (lambda a: a.vec(Function.COPY, 0, 0, item=3), {}, "item = 3"),
        (lambda a: a.vec(27, 0, 0), {}, "no function 27"),
        (lambda a: a.vec(Function.COPY, 0, 0, item=1, flags=Flag.SRC0_ACCUMULATOR), {}, "2-byte elements"),
        (lambda a: a.vec(Function.MULTIPLY, 0, 0, flags=Flag.INTEGER), {}, "multiply does not take int32"),
        (
            lambda a: a.emit(Opcode.LOAD, flags=Flag.HOST | Flag.NEXT),
            {},
            "at most one of HOST, CURRENT, NEXT",
        ),
        (lambda a: a.emit(Opcode.LOAD), {}, "HBM: 1 x 1 lines of 1-byte elements"),
        (lambda a: a.emit(Opcode.TRANSPOSE, rows=5, tail=1), {}, "a block of 5 x 1"),
        (lambda a: a.wload(0, rows=5), {}, "5 rows"),
        (lambda a: a.wload(0, sub0=1), {}, "sub-line 1 of 4 elements"),
        (lambda a: a.matmul(0), {}, "no weights are active"),
        (lambda a: a.matmul(0, flags=Flag.SWAP), {}, "SWAP of tile 0, but only 0 WLOADs have ended"),
        (lambda a: a.matmul(0, item=0), {}, "item = 0"),
        (lambda a: a.matmul(0, tail=5), {}, "tail = 5"),
        (lambda a: a.emit(Opcode.DRAIN), {}, "DRAIN of 1 rows"),
        (lambda a: a.emit(Opcode.DRAIN), OS, "the array holds no sums"),
        (lambda a: a.matmul(0, flags=Flag.ACCUMULATE), OS, "the array holds no sums"),
        (lambda a: a.matmul(0, flags=Flag.SWAP), OS, "no weights to SWAP"),
    ],
)
def test_what_cannot_be_executed_names_the_instruction(emit: Any, overrides: Any, message: str) -> None:
    error = first_error(emit, **overrides)
    assert message in error
    assert error.startswith("instruction 0 (")


def test_drained_sums_are_gone() -> None:
    def emit(asm: Assembler) -> None:
        asm.matmul(0)
        asm.emit(Opcode.DRAIN)
        asm.emit(Opcode.DRAIN)

    assert first_error(emit, **OS).startswith("instruction 2 (DRAIN): DRAIN, but the array holds no sums")


def test_weights_and_operands_are_of_one_type() -> None:
    def emit(asm: Assembler) -> None:
        asm.wload(0, item=0)
        asm.matmul(0, flags=Flag.SWAP)

    assert "operands of uint16, weights of int8" in first_error(emit)


def test_a_program_is_not_changed_by_running_it() -> None:
    asm = Assembler(make_machine())
    matmul_program(asm, 2)
    program: Program = asm.program()
    records = program.records.copy()
    run(asm, a=elementwise("to_bfloat16", floats(5, 8)), b=elementwise("to_bfloat16", floats(8, 4)))
    np.testing.assert_array_equal(program.records, records)
