"""What the host writes and reads, and the comparison of outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator.errors import ProgramError
from simulator.graph import Graph, Node
from simulator.interpreter import compare_outputs, run_program
from simulator.program import Space
from tests.unit.interpreter.assembler import Assembler, make_machine


def graph(outputs: dict[str, int], carried: dict[str, str] | None = None) -> Graph:
    nodes = tuple(Node("input", (), (2, 3), "float32", {"path": name}) for name in outputs)
    return Graph(nodes, {}, outputs, carried=carried or {})


@pytest.mark.parametrize(
    ("shape", "rows", "cols"),
    [((), 1, 1), ((6,), 1, 6), ((3, 5), 3, 5), ((2, 3, 5), 6, 5), ((1, 1, 9), 1, 9)],
)
def test_tensors_of_any_rank_are_panels(shape: tuple[int, ...], rows: int, cols: int) -> None:
    asm = Assembler(make_machine())
    place = asm.place("x", rows, cols)
    value = np.arange(rows * cols, dtype=np.float32).reshape(shape)
    state = run_program(asm.program(), asm.machine, {"x": value}, [])
    np.testing.assert_array_equal(state.read_tensor(place, shape), value)
    memory = state.core.off_chip[Space.HOST].data.view(np.float32).reshape(-1, 4)
    matrix = value.reshape(rows, cols)
    for r in range(rows):
        for c in range(cols):
            assert memory[c // 4 * rows + r, c % 4] == matrix[r, c]


def test_bool_is_stored_as_float32_and_nan_canonical() -> None:
    asm = Assembler(make_machine())
    mask, x, half = asm.place("m", 1, 2, "bool"), asm.place("x", 1, 2), asm.place("h", 1, 2, "bfloat16")
    foreign = np.array([[0xFFC12345, 0x7F800001]], np.uint32).view(np.float32)
    inputs = {"m": np.array([[True, False]]), "x": foreign, "h": np.array([[0xFFFF, 0x7F80]], np.uint16)}
    state = run_program(asm.program(), asm.machine, inputs, [])
    assert state.read_bits(mask).tolist() == [[0x3F800000, 0]]
    assert state.read_bits(x).tolist() == [[0x7FC00000, 0x7FC00000]]
    assert state.read_bits(half).tolist() == [[0x7FC0, 0x7F80]]
    assert state.read("m").tolist() == [[True, False]]
    assert inputs["x"].view(np.uint32)[0, 0] == 0xFFC12345  # the caller's array is left alone


def test_the_scalar_table_has_a_row_per_entry() -> None:
    asm = Assembler(make_machine())
    table = asm.place("scalars", 3, 1)
    scalars: list[Any] = [
        np.asarray(1.5, np.float32),
        np.asarray(-7, np.int32),
        np.asarray(np.nan, np.float32),
    ]
    state = run_program(asm.program(), asm.machine, {}, scalars)
    assert state.read_bits(table).ravel().tolist() == [0x3FC00000, 0xFFFFFFF9, 0x7FC00000]
    with pytest.raises(ProgramError, match="scalars: 2 x 1 given, 3 x 1 is placed"):
        run_program(asm.program(), asm.machine, {}, scalars[:2])
    with pytest.raises(ProgramError, match="float32 and int32 alone"):
        run_program(asm.program(), asm.machine, {}, [*scalars[:2], np.asarray(1.0)])


def test_constants_are_written_before_the_program() -> None:
    asm = Assembler(make_machine())
    asm.place("constant.0", 1, 3, space=Space.HBM)
    asm.constants["constant.0"] = np.array([1, 2, 3], np.float32)
    assert run_program(asm.program(), asm.machine, {}, []).read("constant.0").tolist() == [[1, 2, 3]]


def test_carried_tensors_are_written_to_this_step_and_read_from_the_next() -> None:
    asm = Assembler(make_machine())
    now = asm.place("w", 1, 4, space=Space.HBM_CURRENT)
    asm.place("padding", 1, 4, space=Space.HBM_NEXT)
    then = asm.place("w", 1, 4, space=Space.HBM_NEXT)
    asm.load(now, 0)
    asm.store(then, 0)
    value = np.array([[1, 2, 3, 4]], np.float32)
    state = run_program(asm.program(), asm.machine, {"w": value}, [])
    assert state.result_placement("w") == then
    np.testing.assert_array_equal(state.read("w"), value)
    assert state.result_placement("w", Space.HBM_CURRENT) == now
    with pytest.raises(KeyError):
        state.read("w", Space.HOST)
    empty = Assembler(asm.machine)
    empty.placements, empty.granules = asm.placements[::-1], asm.granules
    state = run_program(empty.program(), asm.machine, {"w": value}, [])
    assert not np.array_equal(state.read("w"), value)  # the next step's tensors are for the Program to write


def test_inputs_must_fit_their_placement() -> None:
    asm = Assembler(make_machine())
    asm.load(asm.place("x", 2, 3), 0)
    program = asm.program()
    with pytest.raises(ProgramError, match="x: float64 given, float32 is placed"):
        run_program(program, asm.machine, {"x": np.zeros((2, 3))}, [])
    with pytest.raises(ProgramError, match="x: 3 x 2 given, 2 x 3 is placed"):
        run_program(program, asm.machine, {"x": np.zeros((3, 2), np.float32)}, [])
    with pytest.raises(ProgramError, match="the Program loads 'x', which is not given"):
        run_program(program, asm.machine, {}, [])


def compare(value: Any, expected: Any, space: Space = Space.HOST, dtype: str = "float32") -> Any:
    asm = Assembler(make_machine())
    asm.place("y", 2, 3, dtype, space)
    state = run_program(asm.program(), asm.machine, {"y": value}, [])
    return compare_outputs(state, graph({"y": 0}), {"y": expected})


def test_equal_outputs() -> None:
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = compare(value, value)
    assert result.equal and (result.elements, result.different) == (6, 0)
    assert str(result) == "6 elements of 1 outputs equal to the bit"
    assert str(result.tensors[0]) == "y: 6 elements equal to the bit"


def test_every_bit_counts() -> None:
    value = np.zeros((2, 3), np.float32)
    expected = value.copy()
    expected[0, 2], expected[1, 1] = -0.0, np.float32(1e-45)
    result = compare(value, expected)
    assert result.different == 2 and result.tensors[0].first == (0, 2)
    assert str(result) == (
        "2 of 6 elements differ; y: 2 of 6 elements differ, first at row 0, column 2: "
        "expected 0x80000000, got 0x0"
    )


def test_expected_bool_is_compared_as_it_is_stored() -> None:
    mask = np.array([[True, False, True], [False, False, True]])
    assert compare(mask, mask, dtype="bool").equal
    assert compare(mask, ~mask, dtype="bool").different == 6


def test_outputs_must_be_placed_given_and_of_their_type() -> None:
    value = np.zeros((2, 3), np.float32)
    with pytest.raises(ProgramError, match=r"output 'y': expected int32\[2, 3\], placed as float32 2 x 3"):
        compare(value, value.astype(np.int32))
    with pytest.raises(ProgramError, match=r"output 'y': expected float32\[3, 2\]"):
        compare(value, value.reshape(3, 2))
    state = run_program(Assembler(make_machine()).program(), make_machine(), {}, [])
    with pytest.raises(ProgramError, match="output 'z' is not placed"):
        compare_outputs(state, graph({"z": 0}), {"z": value})
    with pytest.raises(ProgramError, match="no expected value of output 'z'"):
        compare_outputs(state, graph({"z": 0}), {})


@pytest.mark.parametrize("path", ["w", "new_w"])
def test_a_carried_output_is_read_where_the_next_step_finds_it(path: str) -> None:
    """Placed under the input's path or its own, it is never read from this step's tensors."""
    asm = Assembler(make_machine())
    now = asm.place("w", 2, 3, space=Space.HBM_CURRENT)
    then = asm.place(path, 2, 3, space=Space.HBM_NEXT)
    asm.load(now, 0)
    asm.store(then, 0)
    value = np.arange(6, dtype=np.float32).reshape(2, 3)
    carried = graph({"new_w": 0}, {"new_w": "w"})
    state = run_program(asm.program(), asm.machine, {"w": value}, [])
    assert compare_outputs(state, carried, {"new_w": value}).equal
    empty = Assembler(asm.machine)
    empty.placements, empty.granules = asm.placements, asm.granules
    state = run_program(empty.program(), asm.machine, {"w": value}, [])
    assert compare_outputs(state, carried, {"new_w": value}).different > 0
    empty.placements = [now]
    state = run_program(empty.program(), asm.machine, {"w": value}, [])
    with pytest.raises(ProgramError, match="output 'new_w' is not placed"):
        compare_outputs(state, carried, {"new_w": value})
