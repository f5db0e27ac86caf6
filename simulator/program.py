"""A Program: instructions, where its tensors lie off chip, and what each instruction is there for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator import isa
from simulator.graph import Location

NO_OPERATION = -1  # instructions that belong to no operation of the graph (HALT)


class Traffic(IntEnum):
    """Why bytes cross the chip's edge; ``needed`` ones are in the graph, the others come of small buffers."""

    NONE = 0
    INPUT = 1  # the first load of an input (needed)
    OUTPUT = 2  # the store of an output (needed)
    REFETCH = 3  # an input loaded again after its room was given away
    SPILL = 4  # an intermediate stored because room was short
    FILL = 5  # a spilled intermediate loaded back


class Space(IntEnum):
    """Where an off-chip tensor lies, which is how its address is read."""

    HBM = 0  # absolute
    HBM_CURRENT = 1  # relative to the base of this step's carried tensors
    HBM_NEXT = 2  # relative to the base of the next step's carried tensors
    HOST = 3  # in the host's memory, absolute


@dataclass(frozen=True)
class Placement:
    """An off-chip tensor: panels of ``line_elements`` columns, each panel ``rows`` lines, one after another.

    Element (r, c) is element ``c % line_elements`` of line ``(c // line_elements) * rows + r``. An N-D
    array is laid out as its C-order reshape to (product of the leading dimensions, last dimension); a 1-D
    array is one row; a scalar is 1 x 1. ``path`` is the graph's input or output path, ``"scalars"`` (one
    row per table entry) or ``"spill.<n>"``.
    """

    path: str
    space: Space
    address: int  # granules
    rows: int
    cols: int
    dtype: str


@dataclass(frozen=True)
class Operation:
    """An operation of the graph, as reports name it."""

    name: str  # e.g. "matmul"
    label: str  # e.g. "matmul 128x784x512 forward"
    where: Location
    macs: int  # multiply-accumulates that the graph asks for (0 unless matmul)


@dataclass(frozen=True)
class Program:
    """What a compiler hands to every engine. Arrays run parallel to ``records``."""

    records: isa.Records
    operation: npt.NDArray[np.int32]  # index into ``operations`` of each instruction, or NO_OPERATION
    traffic: npt.NDArray[np.uint8]  # Traffic of each LOAD and STORE
    macs: npt.NDArray[np.int64]  # useful multiply-accumulates of each MATMUL
    tensor: npt.NDArray[np.int32]  # index into ``tensors`` of what a LOAD or STORE moves, or -1
    operations: tuple[Operation, ...]
    tensors: tuple[
        str, ...
    ]  # names of what crosses the chip's edge: paths, "scalars", "constant.<n>", "%<node>"
    placements: tuple[Placement, ...]
    constants: dict[str, npt.NDArray[Any]] = field(
        default_factory=dict
    )  # path -> value, written by the host once
    memory_granules: dict[Space, int] = field(default_factory=dict)  # size of each off-chip space
    name: str = "step"

    def __len__(self) -> int:
        return len(self.records)

    def placement(self, path: str, space: Space | None = None) -> Placement:
        """The placement of a path (in ``space``, where a carried path lies in two)."""
        for placement in self.placements:
            if placement.path == path and space in (None, placement.space):
                return placement
        raise KeyError(path)

    def encode(self) -> bytes:
        """The instruction stream as the sequencer reads it, 32 bytes per instruction."""
        return isa.encode(self.records)


@dataclass(frozen=True)
class LongProgram:
    """A Program that need not be in memory as a whole: its parts, one after the other.

    Each part is a Program of its own instructions and of all tables; HALT is in the last one.
    """

    count: int  # of instructions
    parts: Iterator[Program]  # to be read once
    operations: tuple[Operation, ...]
    placements: tuple[Placement, ...]
    memory_granules: dict[Space, int]
    name: str

    def __len__(self) -> int:
        return self.count
