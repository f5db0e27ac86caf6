"""Every function of the vector unit against the kernels, and every flag of its operands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.interpreter import MemoryState, run_program
from simulator.isa import OPERANDS, REDUCING, Flag, Function
from simulator.numerics.kernels import elementwise, reduce
from tests.unit.interpreter.assembler import Assembler, make_machine

SPECIAL = np.array(
    [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 1e-45, 3.5e38 / 2, -2.5, 88.8, 1e-20], np.float32
)
RNG = np.random.default_rng(11)
INTEGER_FUNCTIONS = [
    *(Function.NEGATIVE, Function.ABSOLUTE, Function.SIGN, Function.ADD, Function.SUBTRACT),
    *(Function.MAXIMUM, Function.MINIMUM, Function.EQUAL, Function.NOT_EQUAL, Function.LESS),
    Function.LESS_EQUAL,
]
CONVERSIONS = {
    Function.TO_BFLOAT16: ("to_bfloat16", "float32", np.uint16),
    Function.FLOAT32_FROM_INT32: ("to_float32", "int32", np.float32),
    Function.FLOAT32_FROM_INT8: ("to_float32", "int8", np.float32),
    Function.INT32_FROM_FLOAT32: ("to_int32", "float32", np.int32),
    Function.INT32_FROM_INT8: ("to_int32", "int8", np.int32),
}
FLOAT_FUNCTIONS = [
    function
    for function in Function
    if function not in REDUCING and function not in CONVERSIONS
    and function not in (Function.COPY, Function.SELECT)
]  # fmt: skip
PLACES = (0, 256, 512)  # granules of the three operands
DST = 768


def special(seed: int, shape: tuple[int, ...]) -> Any:
    """Special and ordinary numbers in every combination of neighbours."""
    rng = np.random.default_rng(seed)
    ordinary = rng.standard_normal(shape).astype(np.float32) * np.float32(10)
    return np.where(rng.random(shape) < 0.5, rng.choice(SPECIAL, shape), ordinary).astype(np.float32)


def integers(seed: int, shape: tuple[int, ...], dtype: Any = np.int32) -> Any:
    info = np.iinfo(dtype)
    values = np.random.default_rng(seed).integers(info.min, info.max, shape, endpoint=True).astype(dtype)
    values.flat[:3] = [info.min, 0, info.max]
    return values


def execute(
    function: Function, operands: list[Any], dtypes: list[str], flags: Flag = Flag.NONE, **fields: Any
) -> Any:
    """Load the operands of 5 lines, and run one VEC; the state afterwards."""
    asm = Assembler(make_machine())
    inputs = {}
    for index, (operand, dtype) in enumerate(zip(operands, dtypes, strict=True)):
        inputs[f"x{index}"] = operand
        rows, cols = operand.shape
        asm.load(asm.place(f"x{index}", rows, cols, dtype), PLACES[index])
    sources = {f"src{index}": PLACES[index] for index in range(1, len(operands))}
    asm.vec(function, DST, PLACES[0], flags=flags, **{"rows": len(operands[0]), **sources, **fields})
    return run_program(asm.program(), asm.machine, inputs, [])


def lines(state: MemoryState, rows: int, dtype: Any, address: int = DST) -> Any:
    return state.core.buffer.lines(address, np.dtype(dtype), rows)[0].copy()


def same_bits(actual: Any, expected: Any) -> None:
    expected = np.ascontiguousarray(expected)
    unsigned = f"u{expected.dtype.itemsize}"
    np.testing.assert_array_equal(np.ascontiguousarray(actual).view(unsigned), expected.view(unsigned))


@pytest.mark.parametrize("function", FLOAT_FUNCTIONS, ids=lambda function: function.name)
def test_float_functions_are_the_kernels(function: Function) -> None:
    operands = [special(seed, (5, 4)) for seed in range(OPERANDS.get(function, 1))]
    expected = elementwise(function.name.lower(), *operands).astype(np.float32)
    state = execute(function, operands, ["float32"] * len(operands))
    same_bits(lines(state, 5, np.float32), expected)


@pytest.mark.parametrize("function", INTEGER_FUNCTIONS, ids=lambda function: function.name)
def test_integer_functions_are_the_kernels(function: Function) -> None:
    operands = [integers(seed, (5, 4)) for seed in range(OPERANDS.get(function, 1))]
    operands[-1][1] = operands[0][1]  # equal ones too
    result = elementwise(function.name.lower(), *operands)
    expected = result.astype(np.float32) if result.dtype == np.bool_ else result
    state = execute(function, operands, ["int32"] * len(operands), Flag.INTEGER)
    same_bits(lines(state, 5, expected.dtype), expected)


@pytest.mark.parametrize("function", CONVERSIONS, ids=lambda function: function.name)
def test_conversions_are_the_kernels(function: Function) -> None:
    kernel, dtype, result = CONVERSIONS[function]
    operand = special(0, (5, 4)) if dtype == "float32" else integers(0, (5, 4), np.dtype(dtype))
    state = execute(function, [operand], [dtype])
    same_bits(lines(state, 5, result), elementwise(kernel, operand))


@pytest.mark.parametrize("item", [0, 1, 2])
def test_copy_moves_bits(item: int) -> None:
    asm = Assembler(make_machine())
    asm.vec(Function.COPY, DST, 0, rows=5, item=item)  # of the seeded pattern, foreign NaNs included
    state = run_program(asm.program(), asm.machine, {}, [])
    dtype = (np.uint8, np.uint16, np.uint32)[item]
    same_bits(lines(state, 5, dtype), lines(state, 5, dtype, 0))


@pytest.mark.parametrize("integer", [False, True])
def test_select_copies_the_chosen_bits(integer: bool) -> None:
    condition = np.array([[0.0, -0.0, 1.0, np.nan], [1.0, 2.0, 0.0, -3.0]], np.float32)
    if integer:
        a, b = integers(1, (2, 4)), integers(2, (2, 4))
    else:
        a, b = special(1, (2, 4)), special(2, (2, 4))
    dtype = "int32" if integer else "float32"
    flags = Flag.INTEGER if integer else Flag.NONE
    state = execute(Function.SELECT, [condition, a, b], ["float32", dtype, dtype], flags)
    same_bits(lines(state, 2, dtype), np.where(condition != 0, a, b))


def test_select_makes_a_nan_canonical_unless_integer() -> None:
    for flags, expected in ((Flag.NONE, 0x7FC00000), (Flag.INTEGER, 0xFFC12345 - 2**32)):
        condition, a = np.ones((1, 4), np.float32), np.full((1, 4), 0xFFC12345 - 2**32, np.int32)
        state = execute(Function.SELECT, [condition, a, a], ["float32", "int32", "int32"], flags)
        assert lines(state, 1, np.int32)[0].tolist() == [expected] * 4


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("integer", [False, True])
@pytest.mark.parametrize("function", sorted(REDUCING), ids=lambda function: function.name)
def test_reductions_are_the_kernels(function: Function, integer: bool, rows: int) -> None:
    operand = integers(3, (rows, 4)) if integer else special(3, (rows, 4))
    flags = Flag.INTEGER if integer else Flag.NONE
    state = execute(function, [operand], [operand.dtype.name], flags)
    same_bits(lines(state, 1, operand.dtype), reduce(function.name.lower(), operand, [0], keepdims=True))


def test_a_sum_goes_down_the_rows() -> None:
    column = np.array([2**24, 1, 1, -(2**24)], np.float32)
    state = execute(Function.REDUCE_SUM, [np.tile(column[:, None], 4)], ["float32"])
    assert lines(state, 1, np.float32)[0].tolist() == [0.0] * 4  # pairwise it would be 1 or 2


def test_a_reduction_goes_on_from_its_destination() -> None:
    value = special(4, (5, 4))
    value[:, 0] = [1, 2**24, -(2**24), 1, 0]  # 1; had the destination come last, 2
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 5, 4), 0)
    asm.vec(Function.COPY, DST, 0)
    asm.vec(Function.REDUCE_SUM, DST, 4, rows=4, flags=Flag.ACCUMULATE)
    state = run_program(asm.program(), asm.machine, {"x": value}, [])
    same_bits(lines(state, 1, np.float32), reduce("reduce_sum", value, [0], keepdims=True))


def test_a_reduction_of_panels_writes_a_line_per_panel() -> None:
    value = special(4, (6, 4))
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 6, 4), 0)
    asm.vec(Function.REDUCE_MAX, DST, 0, panels=2, rows=2, src0_stride=4, dst_stride=3, tail=1)
    state = run_program(asm.program(), asm.machine, {"x": value}, [])
    untouched = run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    actual, before = lines(state, 4, np.float32), lines(untouched, 4, np.float32)
    same_bits(actual[0], reduce("reduce_max", value[:2], [0]))
    same_bits(actual[1:3], before[1:3])
    same_bits(actual[3, :1], reduce("reduce_max", value[4:], [0])[:1])
    same_bits(actual[3, 1:], before[3, 1:])


def test_the_mask_covers_the_last_panel_only() -> None:
    value = special(6, (4, 4))
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 4, 4), 0)
    asm.vec(Function.NEGATIVE, DST, 0, panels=2, rows=2, src0_stride=2, dst_stride=2, tail=3)
    state = run_program(asm.program(), asm.machine, {"x": value}, [])
    untouched = run_program(Assembler(asm.machine).program(), asm.machine, {}, [])
    expected = elementwise("negative", value)
    expected[2:, 3] = lines(untouched, 4, np.float32)[2:, 3]
    same_bits(lines(state, 4, np.float32), expected)


@pytest.mark.parametrize("index", [0, 1])
def test_replicate_takes_element_0_of_every_line(index: int) -> None:
    operands = [special(seed, (5, 4)) for seed in (7, 8)]
    state = execute(Function.SUBTRACT, operands, ["float32"] * 2, Flag(Flag.SRC0_REPLICATE << index))
    operands[index] = operands[index][:, :1]
    same_bits(lines(state, 5, np.float32), elementwise("subtract", *operands))


@pytest.mark.parametrize("index", [0, 1])
def test_same_row_takes_one_line_of_every_panel(index: int) -> None:
    operands = [special(seed, (6, 4)) for seed in (9, 10)]
    strides = {"src0_stride": 3, "src1_stride": 3, "dst_stride": 3, "panels": 2, "rows": 3}
    state = execute(Function.DIVIDE, operands, ["float32"] * 2, Flag(Flag.SRC0_SAME_ROW << index), **strides)
    operands[index] = operands[index][[0, 0, 0, 3, 3, 3]]
    same_bits(lines(state, 6, np.float32), elementwise("divide", *operands))


def test_a_scalar_serves_all_panels() -> None:
    operands = [special(seed, (6, 4)) for seed in (9, 10)]
    strides = {"src0_stride": 3, "src1_stride": 0, "dst_stride": 3, "panels": 2, "rows": 3}
    flags = Flag.SRC1_SAME_ROW | Flag.SRC1_REPLICATE
    state = execute(Function.MULTIPLY, operands, ["float32"] * 2, flags, **strides)
    same_bits(lines(state, 6, np.float32), elementwise("multiply", operands[0], operands[1][:1, :1]))


def test_all_operands_replicated_fill_the_line() -> None:
    state = execute(
        Function.EXP, [np.full((1, 4), 1.5, np.float32)], ["float32"], Flag.SRC0_REPLICATE, rows=1
    )
    assert len(set(lines(state, 1, np.uint32)[0].tolist())) == 1
    same_bits(lines(state, 1, np.float32)[0, :1], elementwise("exp", np.array([1.5], np.float32)))


@pytest.mark.parametrize("index", [0, 1, 2])
def test_operands_come_from_the_accumulators(index: int) -> None:
    asm = Assembler(make_machine())
    sources = {"src1": 8, "src2": 16} | ({f"src{index}": 5} if index else {})
    src0 = 0 if index else 5
    asm.vec(Function.SELECT, DST, src0, rows=2, flags=Flag.SRC0_ACCUMULATOR << index, **sources)
    state = run_program(asm.program(), asm.machine, {}, [])
    core = state.core
    values = [core.buffer.lines(at, np.dtype(np.float32), 2)[0] for at in (0, 8, 16)]
    values[index] = core.accumulators.lines(5, np.dtype(np.float32), 2)[0]
    expected = elementwise("where", values[0] != 0, values[1], values[2])
    same_bits(lines(state, 2, np.float32), expected)


def test_a_reduction_reads_the_accumulators() -> None:
    asm = Assembler(make_machine())
    asm.vec(Function.REDUCE_SUM, DST, 3, rows=4, flags=Flag.SRC0_ACCUMULATOR | Flag.INTEGER)
    state = run_program(asm.program(), asm.machine, {}, [])
    value = state.core.accumulators.lines(3, np.dtype(np.int32), 4)[0]
    same_bits(lines(state, 1, np.int32), reduce("reduce_sum", value, [0], keepdims=True))


def test_a_function_may_overwrite_its_operand() -> None:
    value = special(12, (5, 4))
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 5, 4), 0)
    asm.vec(Function.ADD, 0, 0, rows=5, src1=0)
    state = run_program(asm.program(), asm.machine, {"x": value}, [])
    same_bits(lines(state, 5, np.float32, 0), elementwise("add", value, value))
