"""Tensors on the machine: panels of lines, cut into blocks that come, stay and go as a whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from simulator.errors import CompileError
from simulator.graph import ITEM_BYTES
from simulator.machines.systolic import SystolicMachine
from simulator.units import ceil_div

ITEM_LOG2 = {1: 0, 2: 1, 4: 2}
MAX_ROWS = 1 << 15  # keeps row counts and strides within an instruction's 16 bits


class Geometry(NamedTuple):
    """How the machine at hand cuts tensors; ``docs/compiler.md`` explains the choices.

    ``line``: elements of a line. ``chunk``: rows of a block at most, a multiple of ``line``.
    ``accumulate``: rows of one accumulator tile at most, a divisor of ``chunk``.
    """

    line: int
    chunk: int
    accumulate: int


def choose_geometry(machine: SystolicMachine) -> Geometry:
    """Blocks as long as leave room for 16 of them (so that loads run ahead), at least one tile long.

    Raises:
        CompileError: an output-stationary array's sums do not fit the accumulators.
    """
    line = machine.line_elements
    lines_that_fit = machine.buffer_granules // 4
    chunk = line
    while chunk * 2 * 16 <= lines_that_fit and chunk * 2 <= MAX_ROWS and chunk < 1024:
        chunk *= 2
    half = machine.accumulators.lines // 2
    if machine.matrix_unit.dataflow == "os":
        # Rows of the result are rows of the array: a tile that is not whole arrays would begin between two.
        rows = machine.matrix_unit.rows
        if machine.accumulators.lines < rows:
            raise CompileError(
                f"accumulators.lines = {machine.accumulators.lines}: an output-stationary array of {rows} "
                f"rows needs at least {rows}"
            )
        half = max(half, rows)
    accumulate = 1
    while accumulate * 2 <= min(half, chunk):
        accumulate *= 2
    return Geometry(line, chunk, accumulate)


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    """``(rows, cols)`` of a tensor in memory: leading dimensions flattened; a vector is one row."""
    if not shape:
        return 1, 1
    return math.prod(shape[:-1]), shape[-1]


@dataclass(eq=False)
class Matrix:
    """A tensor as it lies in memory: ``rows`` x ``cols``."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    rows: int = field(init=False)
    cols: int = field(init=False)

    def __post_init__(self) -> None:
        self.rows, self.cols = matrix_shape(self.shape)

    @property
    def item(self) -> int:
        """log2 of the element's bytes."""
        return ITEM_LOG2[ITEM_BYTES[self.dtype]]


@dataclass(eq=False)
class Tensor(Matrix):
    """A value in the unified buffer, in blocks of ``group`` panels x ``chunk`` rows."""

    line: int
    chunk: int
    group: int
    number: int = 0  # among all tensors of the compilation
    first_block: int = 0  # index of block 0 among all blocks of the compilation

    @property
    def panels(self) -> int:
        """Panels of ``line`` columns."""
        return ceil_div(self.cols, self.line)

    @property
    def row_blocks(self) -> int:
        """Blocks one above the other."""
        return ceil_div(self.rows, self.chunk)

    @property
    def n_blocks(self) -> int:
        """Blocks of the whole tensor."""
        return ceil_div(self.panels, self.group) * self.row_blocks

    def block_at(self, panel: int, row: int) -> int:
        """Index (among the tensor's blocks) of the block that holds a line."""
        return panel // self.group * self.row_blocks + row // self.chunk

    def bounds(self, block: int) -> tuple[int, int, int, int]:
        """``(first panel, last panel + 1, first row, last row + 1)`` of a block."""
        group, chunk = divmod(block, self.row_blocks)
        first_panel, first_row = group * self.group, chunk * self.chunk
        return (
            first_panel,
            min(first_panel + self.group, self.panels),
            first_row,
            min(first_row + self.chunk, self.rows),
        )

    def lines(self, block: int) -> int:
        """Lines of a block."""
        p0, p1, r0, r1 = self.bounds(block)
        return (p1 - p0) * (r1 - r0)

    def granules(self, block: int) -> int:
        """Size of a block in the unified buffer."""
        return self.lines(block) << self.item

    def tail(self, last_panel: int) -> int:
        """Valid elements of the lines of a panel."""
        return min(self.line, self.cols - last_panel * self.line)


class Operand(NamedTuple):
    """Lines of one block: ``offset`` is the first, ``stride`` from panel to panel, both in lines."""

    block: int  # among all blocks
    offset: int
    stride: int


def operand(tensor: Tensor, panel: int, row: int) -> Operand:
    """The lines from (panel, row) on; they are used up to the end of the block at most."""
    block = tensor.block_at(panel, row)
    p0, _, r0, r1 = tensor.bounds(block)
    return Operand(tensor.first_block + block, (panel - p0) * (r1 - r0) + row - r0, r1 - r0)


def pieces(start: int, stop: int, *steps: int) -> Iterator[tuple[int, int]]:
    """``[start, stop)`` cut at every multiple of every step."""
    at = start
    while at < stop:
        upto = min([stop, *((at // step + 1) * step for step in steps)])
        yield at, upto
        at = upto
