"""Instructions before they have addresses, most of them as loops.

An *entry* is one vector instruction or a loop of instructions: all blocks of an element-by-element
operation, all squares of a transpose, all steps of an accumulator tile. Entries are flat numbers
(``native/lowered.h`` has the structure), so that large operations are not lists of objects; ``expand`` makes
the objects. Operands are lines of tensors, accumulators are tiles.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.compiler.tensors import Geometry, Operand, Tensor
from simulator.isa import Flag, Opcode
from simulator.units import ceil_div

NO_TILE = -1
NATURAL = -1  # stride: that of the tensor's block
SOURCES = 3


class Kind(IntEnum):
    """What an entry stands for."""

    ONE = 0  # a vector instruction
    BLOCKS = 1  # a vector instruction for every block of the destination
    TRANSPOSES = 2  # a TRANSPOSE for every line by line square
    STATIONARY = 3  # WLOAD and MATMUL for every step of k and sub-line of an accumulator tile
    OUTPUT = 4  # MATMULs and a DRAIN for every array of sums of an accumulator tile


class Place(NamedTuple):
    """A line of a tensor. ``stride`` is from panel to panel, in lines."""

    tensor: int
    panel: int
    row: int
    stride: int = NATURAL


NOWHERE: tuple[int, int, int, int] = (-1, 0, 0, 0)  # no destination; as a source: the accumulator tile
ENTRY = (
    *("kind", "count", "operation", "function", "flags", "item"),
    *("rows", "panels", "tail", "tile", "tile_line"),
)
ENTRY_WORDS = len(ENTRY) + 1 + 4 * (1 + SOURCES)  # the number of sources; destination and sources


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


def touched(instruction: Symbolic) -> list[int]:
    """The blocks that an instruction reads or writes."""
    blocks = [source.block for source in instruction.sources if source is not None]
    if instruction.dst is not None:
        blocks.append(instruction.dst.block)
    return blocks


@dataclass(eq=False)
class Lowering:
    """What steps are cut into: tensors with their blocks, and entries over them in program order."""

    geometry: Geometry
    rows: int  # of the array
    cols: int
    tensors: list[Tensor] = field(default_factory=list)
    block_tensor: list[int] = field(default_factory=list)  # index of the tensor of every block
    words: array[int] = field(default_factory=lambda: array("q"))  # of the entries
    tiles: int = 0  # accumulator tiles
    current: int = -1  # operation that entries are added for

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str, *, whole_rows: bool = False) -> Tensor:
        """A new tensor. ``whole_rows``: blocks are not cut between rows (batched transposes need that)."""
        line = self.geometry.line
        tensor = Tensor(name, shape, dtype, line, 1, 1)
        tensor.chunk = tensor.rows if whole_rows else min(self.geometry.chunk, tensor.rows)
        tensor.group = max(1, line // tensor.rows)
        tensor.number, tensor.first_block = len(self.tensors), len(self.block_tensor)
        self.tensors.append(tensor)
        self.block_tensor.extend([tensor.number] * tensor.n_blocks)
        return tensor

    def new_tile(self) -> int:
        """A new accumulator tile."""
        self.tiles += 1
        return self.tiles - 1

    # -- entries ---------------------------------------------------------------------------------------------

    def vec(
        self,
        function: int,
        rows: int,
        panels: int,
        tail: int,
        dst: Place,
        sources: Sequence[tuple[int, int, int, int]],
        *,
        flags: int = 0,
        item: int = 0,
        tile: int = NO_TILE,
        tile_line: int = 0,
    ) -> None:
        """One vector instruction."""
        self._add(Kind.ONE, 1, function, flags, item, rows, panels, tail, tile, tile_line, dst, sources)

    def blocks(
        self, function: int, out: Tensor, sources: Sequence[Place], moving: int, *, flags: int, item: int
    ) -> None:
        """A vector instruction for every block of ``out``.

        A source is at its place for the first row, of the same panel, and its rows go on with those of
        ``out`` if its bit is in ``moving``; one of stride 0 has one panel for all.
        """
        dst = Place(out.number, 0, 0)
        self._add(Kind.BLOCKS, out.n_blocks, function, flags, item, 0, 0, 0, NO_TILE, moving, dst, sources)

    def transposes(self, out: Place, source: Place, rows: int, panels: int, item: int) -> None:
        """A TRANSPOSE for every square of ``rows`` rows of all panels."""
        count = ceil_div(rows, self.geometry.line) * panels
        self._add(Kind.TRANSPOSES, count, 0, 0, item, rows, 0, 0, NO_TILE, 0, out, (source,))

    def stationary(
        self, a: Place, b: Place, rows: int, depth: int, width: int, *, flags: int, tile: int
    ) -> None:
        """Tiles of one panel of ``b`` (depth, width), each with ``rows`` rows of ``a`` streamed past it."""
        count = 2 * ceil_div(depth, self.rows) * ceil_div(width, self.cols)
        self._add(Kind.STATIONARY, count, 0, flags, 0, rows, width, depth, tile, 0, NOWHERE, (a, b))

    def output(
        self, a: Place, b: Place, rows: int, depth: int, width: int, *, flags: int, tile: int, chunk: int
    ) -> None:
        """Sums of ``rows`` columns of ``a`` (depth, rows) and one panel of ``b``, in steps of ``chunk``."""
        arrays = ceil_div(rows, self.rows) * ceil_div(width, self.cols)
        count = arrays * (ceil_div(depth, chunk) + 1)
        self._add(Kind.OUTPUT, count, 0, flags, 0, rows, width, depth, tile, chunk, NOWHERE, (a, b))

    def _add(
        self,
        kind: Kind,
        count: int,
        function: int,
        flags: int,
        item: int,
        rows: int,
        panels: int,
        tail: int,
        tile: int,
        tile_line: int,
        dst: tuple[int, int, int, int],
        sources: Sequence[tuple[int, int, int, int]],
    ) -> None:
        self.words.extend((kind, count, self.current, function, flags, item))
        self.words.extend((rows, panels, tail, tile, tile_line, len(sources)))
        self.words.extend(dst)
        for source in sources:
            self.words.extend(source)
        for _ in range(SOURCES - len(sources)):
            self.words.extend(NOWHERE)

    def entries(self) -> npt.NDArray[np.int64]:
        """All entries, a row each."""
        return np.frombuffer(self.words, dtype=np.int64).reshape(-1, ENTRY_WORDS)


# By source; plain integers, which are joined faster.
SAME_ROW = tuple(map(int, (Flag.SRC0_SAME_ROW, Flag.SRC1_SAME_ROW, Flag.SRC2_SAME_ROW)))
REPLICATE = tuple(map(int, (Flag.SRC0_REPLICATE, Flag.SRC1_REPLICATE, Flag.SRC2_REPLICATE)))
ACCUMULATOR = tuple(map(int, (Flag.SRC0_ACCUMULATOR, Flag.SRC1_ACCUMULATOR, Flag.SRC2_ACCUMULATOR)))
