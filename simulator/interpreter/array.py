"""MATMUL and DRAIN."""

from __future__ import annotations

import numpy as np

from simulator.errors import ProgramError
from simulator.interpreter.core import Commit, Core, Operand
from simulator.interpreter.instruction import Instruction
from simulator.isa import Flag
from simulator.numerics.kernels import elementwise, gemm, gemm_int8

_BFLOAT16, _INT8 = np.dtype(np.uint16), np.dtype(np.int8)
_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)


def matmul(core: Core, i: Instruction) -> Commit:
    """MATMUL, by the array's dataflow."""
    if i.item != (0 if i.flags & Flag.INTEGER else 1):
        raise ProgramError(f"item = {i.item}: 1, with INTEGER 0, is allowed")
    if core.machine.matrix_unit.dataflow == "os":
        return _output_stationary(core, i)
    return _weight_stationary(core, i)


def _operand(core: Core, i: Instruction, address: int, sub: int, side: int, valid: int) -> Operand:
    """A copy of the first ``valid`` elements of a sub-line of ``side`` elements, of ``rows`` lines."""
    dtype = _INT8 if i.flags & Flag.INTEGER else _BFLOAT16
    first = core.sub_line(sub, side)
    lines: Operand = core.buffer.lines(address, dtype, i.rows, first=first, count=valid)[0].copy()
    return lines


def _results(core: Core, i: Instruction) -> Operand:
    """A view of the accumulators' elements that are written."""
    dtype = _INT32 if i.flags & Flag.INTEGER else _FLOAT32
    cols = core.machine.matrix_unit.cols
    first = core.sub_line(i.sub1, cols)
    view: Operand = core.accumulators.lines(i.dst, dtype, i.rows, first=first, count=cols)[0]
    return view


def _weight_stationary(core: Core, i: Instruction) -> Commit:
    rows, integer = core.machine.matrix_unit.rows, bool(i.flags & Flag.INTEGER)
    if not 1 <= i.tail <= rows:
        raise ProgramError(f"tail = {i.tail}: 1 to {rows} is allowed")
    left = _operand(core, i, i.src0, i.sub0, rows, i.tail)
    target = _results(core, i)
    if i.flags & Flag.SWAP:
        core.weights.active += 1
    number = core.weights.active

    def commit() -> None:
        # The weights are needed some cycles after the issue, so the WLOAD may have ended after it. Adding to
        # the accumulators is pipelined in the order of the instructions.
        tile = core.weights.use(number)
        if tile.dtype != left.dtype:
            raise ProgramError(f"operands of {left.dtype}, weights of {tile.dtype}")
        right = tile[: i.tail]
        sums = gemm_int8(left, right) if integer else gemm(left, right, rows=rows, dataflow="ws")
        target[...] = elementwise("add", target, sums) if i.flags & Flag.ACCUMULATE else sums

    return commit


def _output_stationary(core: Core, i: Instruction) -> Commit:
    unit = core.machine.matrix_unit
    if i.flags & (Flag.SWAP | Flag.RELEASE):
        raise ProgramError("an output-stationary array has no weights to SWAP or RELEASE")
    left = _operand(core, i, i.src0, i.sub0, unit.rows, unit.rows)
    right = _operand(core, i, i.src1, i.sub1, unit.cols, unit.cols)
    return lambda: core.chain.feed(left, right, bool(i.flags & Flag.ACCUMULATE))


def drain(core: Core, i: Instruction) -> Commit:
    """DRAIN: the first ``rows`` rows of sums, and the array holds none afterwards."""
    unit = core.machine.matrix_unit
    if unit.dataflow != "os" or i.rows > unit.rows:
        raise ProgramError(f"DRAIN of {i.rows} rows: an output-stationary array and at most {unit.rows} rows")
    left, right = core.chain.drain()
    if (left.dtype == _INT8) != bool(i.flags & Flag.INTEGER):
        raise ProgramError(f"flag INTEGER does not fit operands of {left.dtype}")
    if i.flags & Flag.INTEGER:
        sums: Operand = gemm_int8(left, right, transpose_a=True)
    else:
        sums = gemm(left, right, transpose_a=True, rows=unit.rows, dataflow="os")
    target = _results(core, i)

    def commit() -> None:
        target[...] = sums[: i.rows]

    return commit
