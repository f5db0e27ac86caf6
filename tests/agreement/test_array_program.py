"""The Program of one GEMM on the array alone, executed in the order of its cycles: operands tile by tile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import systolic
from simulator.compiler import array_program
from simulator.compiler.array_program import compile_array_gemm
from simulator.interpreter import run_program
from simulator.isa import Opcode
from simulator.program import Program, Traffic
from simulator.validate import validate
from tests.unit.systolic.programs import make_machine

SIDE = 4


def tiles(matrix: Any) -> Any:
    """Panels of SIDE columns, one after the other; what is beyond the last column is any number."""
    wide = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % SIDE)), constant_values=77)
    return np.concatenate(np.split(wide, wide.shape[1] // SIDE, axis=1))


def held_tiles(matrix: Any) -> Any:
    """The same of panels cut into tiles of SIDE rows, the last of which is padded too."""
    return tiles(np.pad(matrix, ((0, -matrix.shape[0] % SIDE), (0, 0)), constant_values=55))


def laid_out(dataflow: str, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """What streams, what is held, and the result's transpose or not."""
    if dataflow == "os":
        return tiles(a.T.copy()), tiles(b), a @ b
    if dataflow == "is":
        a, b = b.T.copy(), a.T.copy()
    return tiles(a), held_tiles(b), a @ b


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
@pytest.mark.parametrize("most_rows", [2, array_program.MAX_ROWS])
@pytest.mark.parametrize("sizes", [(13, 9, 7), (1, 1, 1), (4, 8, 4), (3, 20, 9)])
def test_values_and_accounts(
    dataflow: str, most_rows: int, sizes: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two rows to an instruction everything takes many of them; tokens alone keep them in order."""
    monkeypatch.setattr(array_program, "MAX_ROWS", most_rows)
    machine = make_machine(matrix_unit__dataflow=dataflow)
    m, k, n = sizes
    rng = np.random.default_rng(m)
    a, b = (rng.integers(-99, 99, shape) for shape in ((m, k), (k, n)))
    program = compile_array_gemm(machine, m, k, n, "int8")
    validate(program, machine)
    moving, held, expected = laid_out(dataflow, a, b)
    operands = {"moving": moving.astype(np.int8), "held": held.astype(np.int8)}
    state = run_program(program, machine, operands, (), trace=systolic.simulate(machine, program.records))
    found = state.read_bits(program.placement("result")).view(np.int32)
    whole = np.concatenate(np.split(found, -(-expected.shape[1] // SIDE)), axis=1)
    assert (whole[:, : expected.shape[1]] == expected).all()
    check_account(program, m * k * n)


def check_account(program: Program, macs: int) -> None:
    """What each instruction is there for."""
    opcode = program.records["opcode"]
    loads, stores, matmuls = (opcode == each for each in (Opcode.LOAD, Opcode.STORE, Opcode.MATMUL))
    assert program.macs.sum() == program.macs[matmuls].sum() == macs
    assert (program.traffic[loads] == Traffic.INPUT).all()
    assert (program.traffic[stores] == Traffic.OUTPUT).all()
    assert (program.traffic[~(loads | stores)] == Traffic.NONE).all()
    assert set(program.tensor[loads].tolist()) == {0, 1} and (program.tensor[stores] == 2).all()
    assert (program.tensor[~(loads | stores)] == -1).all()
    assert (program.operation[:-1] == 0).all() and program.operation[-1] == -1
