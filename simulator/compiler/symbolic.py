"""Instructions before they have addresses: operands are lines of blocks, accumulators are tiles."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.compiler.tensors import Geometry, Operand, Tensor
from simulator.graph import Location
from simulator.isa import Flag, Opcode
from simulator.program import Operation

NO_TILE = -1


@dataclass(slots=True)
class Symbolic:
    """One instruction to be. ``tile``: the accumulator tile that it reads (VEC) or writes (MATMUL, DRAIN)."""

    opcode: Opcode
    operation: int
    rows: int
    panels: int = 1
    dst: Operand | None = None
    sources: tuple[Operand | None, ...] = ()  # None: that source is the accumulator tile
    function: int = 0
    flags: int = 0
    item: int = 0
    tail: int = 0
    sub0: int = 0
    sub1: int = 0
    tile: int = NO_TILE
    tile_line: int = 0
    macs: int = 0
    keeps: bool = False  # the destination's block keeps lines that were written before


def touched(instruction: Symbolic) -> list[int]:
    """The blocks that an instruction reads or writes."""
    blocks = [source.block for source in instruction.sources if source is not None]
    if instruction.dst is not None:
        blocks.append(instruction.dst.block)
    return blocks


@dataclass(eq=False)
class Lowering:
    """What lowering builds: tensors with their blocks, and instructions over them in program order."""

    geometry: Geometry
    rows: int  # of the array
    cols: int
    tensors: list[Tensor] = field(default_factory=list)
    block_tensor: list[int] = field(default_factory=list)  # index of the tensor of every block
    instructions: list[Symbolic] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    tile_lines: list[int] = field(default_factory=list)  # lines of every accumulator tile
    current: int = -1  # operation that instructions are added for

    def begin(self, name: str, label: str, where: Location, macs: int = 0) -> None:
        """Instructions added from here on belong to a new operation."""
        self.operations.append(Operation(name, label, where, macs))
        self.current = len(self.operations) - 1

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str, *, whole_rows: bool = False) -> Tensor:
        """A new tensor. ``whole_rows``: blocks are not cut between rows (batched transposes need that)."""
        line = self.geometry.line
        tensor = Tensor(name, shape, dtype, line, 1, 1)
        tensor.chunk = tensor.rows if whole_rows else min(self.geometry.chunk, tensor.rows)
        tensor.group = max(1, line // tensor.rows)
        tensor.first_block = len(self.block_tensor)
        self.tensors.append(tensor)
        self.block_tensor.extend([len(self.tensors) - 1] * tensor.n_blocks)
        return tensor

    def new_tile(self, lines: int) -> int:
        """A new accumulator tile."""
        self.tile_lines.append(lines)
        return len(self.tile_lines) - 1

    def add(self, instruction: Symbolic) -> None:
        """The next instruction."""
        self.instructions.append(instruction)


SAME_ROW = (Flag.SRC0_SAME_ROW, Flag.SRC1_SAME_ROW, Flag.SRC2_SAME_ROW)
REPLICATE = (Flag.SRC0_REPLICATE, Flag.SRC1_REPLICATE, Flag.SRC2_REPLICATE)
ACCUMULATOR = (Flag.SRC0_ACCUMULATOR, Flag.SRC1_ACCUMULATOR, Flag.SRC2_ACCUMULATOR)
