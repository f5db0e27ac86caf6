"""With a Trace the order of time counts: a missing token gives other values than the Program's order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.errors import ProgramError
from simulator.interpreter import run_program
from simulator.isa import Flag, Function, Opcode
from simulator.numerics.kernels import elementwise, gemm
from simulator.program import Space, Traffic
from tests.unit.interpreter.assembler import Assembler, bfloat16, make_machine, make_trace

X = np.arange(4, dtype=np.float32).reshape(1, 4) + 1


def negate_program() -> Assembler:
    """LOAD x, VEC y = -x, STORE y, HALT."""
    asm = Assembler(make_machine())
    x, y = asm.place("x", 1, 4), asm.place("y", 1, 4)
    asm.load(x, 0)
    asm.vec(Function.NEGATIVE, 4, 0)
    asm.store(y, 4)
    asm.halt()
    return asm


def outcome(asm: Assembler, moments: list[tuple[int, int]], path: str = "y", **inputs: Any) -> Any:
    trace = make_trace(moments)
    return run_program(asm.program(), asm.machine, inputs, [], trace=trace).read(path)


def test_a_read_in_the_cycle_of_the_end_sees_the_write() -> None:
    np.testing.assert_array_equal(outcome(negate_program(), [(1, 9), (9, 14), (14, 20), (20, 21)], x=X), -X)


@pytest.mark.parametrize(
    "moments",
    [
        [(1, 9), (8, 14), (14, 20), (20, 21)],  # VEC starts a cycle before the LOAD has ended
        [(1, 9), (9, 14), (13, 20), (20, 21)],  # STORE before the VEC has ended
        [(1, 9), (9, 14), (14, 20), (15, 16)],  # HALT before the STORE has ended
    ],
)
def test_too_early_by_a_cycle_gives_other_values(moments: list[tuple[int, int]]) -> None:
    assert not np.array_equal(outcome(negate_program(), moments, x=X), -X)


def test_without_a_trace_the_order_of_the_program_counts() -> None:
    asm = negate_program()
    np.testing.assert_array_equal(run_program(asm.program(), asm.machine, {"x": X}, []).read("y"), -X)


@pytest.mark.parametrize("function", [Function.NEGATIVE, Function.COPY])
def test_an_operand_overwritten_too_early(function: Function) -> None:
    """Write after read: the second LOAD ends before the VEC that wants the first one's value starts."""
    asm = Assembler(make_machine())
    x, z, y = (asm.place(path, 1, 4) for path in "xzy")
    asm.load(x, 0)
    asm.vec(function, 4, 0)
    asm.load(z, 0)
    asm.store(y, 4)
    late, early = [(1, 9), (9, 14), (2, 11), (15, 20)], [(1, 5), (9, 14), (2, 9), (15, 20)]
    sign = -1 if function is Function.NEGATIVE else 1
    np.testing.assert_array_equal(outcome(asm, late, x=X, z=3 * X), sign * X)
    np.testing.assert_array_equal(outcome(asm, early, x=X, z=3 * X), sign * 3 * X)


def test_operands_of_the_array_are_read_at_the_start() -> None:
    """Its rows are streamed from the start on; what is written there before the end does not count."""
    asm, a, b = weights_program()
    asm.load(asm.placements[0], 0, src1=asm.placements[1].address)
    trace = make_trace([(1, 5), (2, 6), (6, 12), (7, 13), (13, 30), (14, 31), (3, 20)])
    state = run_program(asm.program(), asm.machine, {"a": a, "b": b}, [], trace=trace)
    expected = run_program(weights_program()[0].program(), asm.machine, {"a": a, "b": b}, [])
    one, other = (each.core.accumulators.lines(0, np.dtype(np.float32), 1)[0] for each in (state, expected))
    np.testing.assert_array_equal(one, other)


def test_the_dma_reaches_a_memory_in_order() -> None:
    """A LOAD that starts before the STORE of its lines has ended reads them as stored."""
    asm = Assembler(make_machine())
    x, s, y = asm.place("x", 1, 4), asm.place("spill.0", 1, 4, "float32", Space.HBM), asm.place("y", 1, 4)
    asm.load(x, 0)
    asm.store(s, 0)
    asm.load(s, 4, traffic=Traffic.FILL)
    asm.store(y, 4)
    asm.halt()
    np.testing.assert_array_equal(outcome(asm, [(1, 5), (5, 20), (9, 30), (30, 40), (40, 41)], x=X), X)


def weights_program(overrides: Any = None) -> tuple[Assembler, Any, Any]:
    """Two tiles: C0 = A B0 to line 0, C1 = A B1 added to line 0."""
    asm = Assembler(make_machine(**(overrides or {})))
    a, b = asm.place("a", 1, 4, "bfloat16"), asm.place("b", 8, 4, "bfloat16")
    asm.load(a, 0)
    asm.load(b, 8)
    asm.wload(8)
    asm.wload(16)
    asm.matmul(0, 0, flags=Flag.SWAP)
    asm.matmul(0, 0, flags=Flag.SWAP | Flag.ACCUMULATE)
    rng = np.random.default_rng(3)
    left, right = (rng.integers(1, 9, shape).astype(np.float32) for shape in ((1, 4), (8, 4)))
    return asm, bfloat16(left), bfloat16(right)


def accumulated(moments: list[tuple[int, int]]) -> tuple[Any, Any]:
    asm, a, b = weights_program()
    state = run_program(asm.program(), asm.machine, {"a": a, "b": b}, [], trace=make_trace(moments))
    products = [gemm(a, b[first : first + 4], rows=4, dataflow="ws") for first in (0, 4)]
    return state.core.accumulators.lines(0, np.dtype(np.float32), 1)[0], elementwise("add", *products)


def test_accumulating_matmuls_overlap() -> None:
    """The second starts before the first has ended, and adds to its sum all the same."""
    actual, expected = accumulated([(1, 5), (2, 6), (6, 12), (7, 13), (13, 30), (14, 31)])
    np.testing.assert_array_equal(actual, expected)


def test_weights_may_arrive_while_the_first_row_is_on_its_way() -> None:
    """A MATMUL may issue before its WLOAD has ended: its rows take the buffer's latency to arrive."""
    actual, expected = accumulated([(1, 5), (2, 6), (6, 12), (7, 14), (11, 30), (13, 31)])
    np.testing.assert_array_equal(actual, expected)


def test_weights_that_never_arrive_are_an_error() -> None:
    with pytest.raises(
        ProgramError, match=r"instruction 4 \(MATMUL\): SWAP of tile 0, but only 0 WLOADs have ended"
    ):
        accumulated([(1, 5), (2, 6), (6, 40), (7, 41), (13, 30), (14, 31)])


def test_weights_loaded_before_their_lines_are_written() -> None:
    actual, expected = accumulated([(1, 5), (2, 8), (6, 12), (8, 13), (13, 30), (14, 31)])
    assert not np.array_equal(actual, expected)


def test_output_stationary_matmuls_overlap() -> None:
    asm = Assembler(make_machine(matrix_unit={"dataflow": "os"}))
    a = asm.place("a", 2, 4, "bfloat16")
    asm.load(a, 0)
    asm.matmul(0, src1=0)
    asm.matmul(2, src1=2, flags=Flag.ACCUMULATE)
    asm.emit(Opcode.DRAIN, rows=4)
    value = bfloat16(np.arange(8).reshape(2, 4))
    trace = make_trace([(1, 5), (5, 20), (6, 21), (21, 30)])
    state = run_program(asm.program(), asm.machine, {"a": value}, [], trace=trace)
    expected = gemm(value, value, transpose_a=True, rows=4, dataflow="os")
    np.testing.assert_array_equal(state.core.accumulators.lines(0, np.dtype(np.float32), 4)[0], expected)


def test_a_trace_of_another_program_is_refused() -> None:
    asm = negate_program()
    with pytest.raises(ProgramError, match="one event for each of the 4 instructions"):
        run_program(asm.program(), asm.machine, {"x": X}, [], trace=make_trace([(0, 1)] * 3))
