"""VEC: the functions of the vector unit."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from simulator.errors import ProgramError
from simulator.interpreter.core import Commit, Core, Operand
from simulator.interpreter.instruction import Instruction
from simulator.interpreter.transfers import raw_type
from simulator.isa import OPERANDS, REDUCING, Flag, Function
from simulator.numerics.kernels import elementwise, reduce

_FLOAT32, _INT32 = np.dtype(np.float32), np.dtype(np.int32)
_BFLOAT16, _INT8 = np.dtype(np.uint16), np.dtype(np.int8)


class _Conversion(NamedTuple):
    """A function whose operand and result are of types of its own."""

    kernel: str
    source: np.dtype[Any]
    result: np.dtype[Any]


_CONVERSIONS = {
    Function.TO_BFLOAT16: _Conversion("to_bfloat16", _FLOAT32, _BFLOAT16),
    Function.FLOAT32_FROM_INT32: _Conversion("to_float32", _INT32, _FLOAT32),
    Function.FLOAT32_FROM_INT8: _Conversion("to_float32", _INT8, _FLOAT32),
    Function.INT32_FROM_FLOAT32: _Conversion("to_int32", _FLOAT32, _INT32),
    Function.INT32_FROM_INT8: _Conversion("to_int32", _INT8, _INT32),
}


def vec(core: Core, i: Instruction) -> Commit:
    """VEC: an element-by-element function or a reduction."""
    try:
        function = Function(i.function)
    except ValueError:
        raise ProgramError(f"no function {i.function}") from None
    if not 1 <= i.tail <= core.width:
        raise ProgramError(f"tail = {i.tail}: 1 to {core.width} is allowed")
    if function in REDUCING:
        result, rows = _reduction(core, i, function), 1
    else:
        result, rows = _elementwise(core, i, function), i.rows
    target = core.buffer.lines(i.dst, result.dtype, rows, i.panels, i.dst_stride)
    # A result with one row or one element per line (SAME_ROW, REPLICATE) serves all of them.
    result = np.broadcast_to(result, target.shape)

    def commit() -> None:
        target[:-1] = result[:-1]
        target[-1, :, : i.tail] = result[-1, :, : i.tail]

    return commit


def _operand(core: Core, i: Instruction, index: int, dtype: np.dtype[Any]) -> Operand:
    """A view of operand ``index``: (panels, rows or 1, W or 1)."""
    address = (i.src0, i.src1, i.src2)[index]
    stride = (i.src0_stride, i.src1_stride, i.src2_stride)[index]
    in_accumulators = i.flags & (Flag.SRC0_ACCUMULATOR << index)
    if in_accumulators and dtype.itemsize != 4:
        raise ProgramError(f"the accumulators hold no {dtype.itemsize}-byte elements")
    memory = core.accumulators if in_accumulators else core.buffer
    rows = 1 if i.flags & (Flag.SRC0_SAME_ROW << index) else i.rows
    count = 1 if i.flags & (Flag.SRC0_REPLICATE << index) else core.width
    return memory.lines(address, dtype, rows, i.panels, stride, count=count)


def _elementwise(core: Core, i: Instruction, function: Function) -> Operand:
    if function is Function.COPY:
        return _operand(core, i, 0, raw_type(i.item)).copy()
    if function in _CONVERSIONS:
        kernel, source, _ = _CONVERSIONS[function]
        return elementwise(kernel, _operand(core, i, 0, source))
    dtype = _INT32 if i.flags & Flag.INTEGER else _FLOAT32
    if function is Function.SELECT:
        condition = _operand(core, i, 0, _FLOAT32) != 0
        return elementwise("where", condition, _operand(core, i, 1, dtype), _operand(core, i, 2, dtype))
    operands = [_operand(core, i, index, dtype) for index in range(OPERANDS.get(function, 1))]
    result = elementwise(function.name.lower(), *operands)
    return result.astype(np.float32) if result.dtype == np.bool_ else result


def _reduction(core: Core, i: Instruction, function: Function) -> Operand:
    """(panels, 1, W)."""
    dtype = _INT32 if i.flags & Flag.INTEGER else _FLOAT32
    lines = _operand(core, i, 0, dtype)
    if i.flags & Flag.ACCUMULATE:
        before = core.buffer.lines(i.dst, dtype, 1, i.panels, i.dst_stride)
        lines = np.concatenate([before, lines], axis=1)
    return reduce(function.name.lower(), lines, [1], keepdims=True)
