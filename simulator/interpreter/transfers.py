"""LOAD, STORE, TRANSPOSE and WLOAD: what moves elements and computes nothing."""

from __future__ import annotations

import numpy as np

from simulator.errors import ProgramError
from simulator.interpreter.core import Commit, Core, Operand
from simulator.interpreter.instruction import Instruction
from simulator.interpreter.memory import Memory
from simulator.isa import Flag
from simulator.program import Space

RAW = (np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32))
_SPACES = {
    Flag.NONE: Space.HBM,
    Flag.CURRENT: Space.HBM_CURRENT,
    Flag.NEXT: Space.HBM_NEXT,
    Flag.HOST: Space.HOST,
}


def raw_type(item: int) -> np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.uint32]:
    """Unsigned elements of ``2^item`` bytes.

    Raises:
        ProgramError: ``item`` is not 0, 1 or 2.
    """
    if item >= len(RAW):
        raise ProgramError(f"item = {item}: 0, 1 or 2 is allowed")
    return RAW[item]


def _off_chip(core: Core, i: Instruction) -> Memory:
    chosen = Flag(i.flags) & (Flag.HOST | Flag.CURRENT | Flag.NEXT)
    if chosen not in _SPACES:
        raise ProgramError(f"flags {chosen!r}: at most one of HOST, CURRENT, NEXT")
    return core.off_chip[_SPACES[chosen]]


def load(core: Core, i: Instruction) -> Commit:
    """LOAD; reads what the stores before it write, since the DMA's accesses reach a memory in order."""
    while core.stores:
        core.stores.popleft()()
    dtype = raw_type(i.item)
    block = _off_chip(core, i).lines(i.memory_address, dtype, i.rows, i.panels, i.src0_stride).copy()
    target = core.buffer.lines(i.dst, dtype, i.rows, i.panels, i.dst_stride)

    def commit() -> None:
        target[...] = block

    return commit


def store(core: Core, i: Instruction) -> Commit:
    """STORE; the memory is written when it ends, or when a later LOAD asks for its data."""
    dtype = raw_type(i.item)
    block = core.buffer.lines(i.src0, dtype, i.rows, i.panels, i.src0_stride).copy()
    target = _off_chip(core, i).lines(i.memory_address, dtype, i.rows, i.panels, i.dst_stride)
    written = False

    def write() -> None:
        nonlocal written
        target[...] = block
        written = True

    def commit() -> None:
        while not written:
            core.stores.popleft()()

    core.stores.append(write)
    return commit


def transpose(core: Core, i: Instruction) -> Commit:
    """TRANSPOSE of a block of ``rows`` x ``tail`` elements."""
    dtype = raw_type(i.item)
    if not (1 <= i.rows <= core.width and 1 <= i.tail <= core.width):
        raise ProgramError(f"a block of {i.rows} x {i.tail}: at most {core.width} x {core.width} is allowed")
    block = np.zeros((i.tail, core.width), dtype)
    block[:, : i.rows] = core.buffer.lines(i.src0, dtype, i.rows, count=i.tail)[0].T
    target = core.buffer.lines(i.dst, dtype, i.tail)

    def commit() -> None:
        target[0] = block

    return commit


def wload(core: Core, i: Instruction) -> Commit:
    """WLOAD; the tile rows that it does not fill hold anything."""
    rows, cols = core.machine.matrix_unit.rows, core.machine.matrix_unit.cols
    if i.rows > rows or i.item > 1:
        raise ProgramError(f"{i.rows} rows, item {i.item}: at most {rows} rows, item 0 or 1 is allowed")
    dtype = np.dtype(np.uint16) if i.item else np.dtype(np.int8)
    first = core.sub_line(i.sub0, cols)
    tile: Operand = np.empty((rows, cols), dtype)
    tile[: i.rows] = core.buffer.lines(i.src0, dtype, i.rows, first=first, count=cols)[0]
    unused = rows - i.rows
    tile[i.rows :] = core.pattern.fill(unused * cols * dtype.itemsize).view(dtype).reshape(unused, cols)
    return lambda: core.weights.push(tile)
