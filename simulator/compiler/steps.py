"""What a graph becomes before a machine's sizes are known: steps over whole tensors.

``lower.py`` writes steps; ``cut.py`` cuts them into the entries of ``symbolic.py`` for the sizes of a
machine, as ``native/cut.h`` does. They are flat numbers, which both read: kind, length, operation, then what
the methods of ``Steps`` add.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from simulator.compiler.tensors import Geometry, Matrix
from simulator.graph import Location
from simulator.isa import Flag, Function
from simulator.program import Operation, Space

TILE = -1  # in the place of an operand: the accumulator tile
ALL = -1  # panels: those of the result
OWN = -1  # a home's address: behind what is there


class Step(IntEnum):
    """What is done with whole tensors."""

    ELEMENTWISE = 0
    COPY = 1
    REDUCE = 2
    TRANSPOSE = 3
    MATMUL = 4


@dataclass(eq=False)
class Value(Matrix):
    """A tensor, however a machine cuts it. ``whole_rows``: its blocks are not cut between rows."""

    whole_rows: bool
    number: int  # among all tensors of the compilation


class Run(NamedTuple):
    """Rows of a result whose operand rows are consecutive (``moves``) or all the same."""

    row: int
    last_row: int
    source_row: int  # of the first
    moves: bool


class Source(NamedTuple):
    """An operand of a vector instruction: a tensor that broadcasts to the result."""

    tensor: Value
    replicate: bool = False  # one column serves all
    row: int | None = None  # this row serves all (a scalar of the table)

    def runs(self, out: Value) -> list[Run]:
        """The rows of the result, under NumPy's broadcasting."""
        if self.row is not None:
            return [Run(0, out.rows, self.row, False)]
        return row_runs(out.shape[:-1], self.tensor.shape[:-1], out.rows, self.tensor.rows)


class Elementwise(NamedTuple):
    """``out = function(sources)``; None as a source is the accumulator tile of a matmul."""

    function: Function
    out: Value
    sources: Sequence[Source | None]
    integer: bool = False
    item: int = 0

    def words(self) -> list[int]:
        """Function, flags, item, out, sources: of each tensor, whether it is replicated, its runs."""
        flags = int(Flag.INTEGER) if self.integer else 0
        words = [int(self.function), flags, self.item, self.out.number, len(self.sources)]
        for source in self.sources:
            if source is None:
                words += (TILE, 0, 0)
                continue
            runs = source.runs(self.out)
            words += (source.tensor.number, int(source.replicate), len(runs))
            for run in runs:
                words += run
        return words


def row_runs(
    lead_out: tuple[int, ...], lead_in: tuple[int, ...], rows_out: int, rows_in: int
) -> list[Run]:
    """Runs of a result's rows, given the leading dimensions of both."""
    if rows_in == rows_out:
        return [Run(0, rows_out, 0, True)]
    if rows_in == 1:
        return [Run(0, rows_out, 0, False)]
    source = np.broadcast_to(np.arange(rows_in).reshape(lead_in), lead_out).ravel()
    runs: list[Run] = []
    at = 0
    while at < rows_out:
        moves = bool(at + 1 < rows_out and source[at + 1] == source[at] + 1)
        step = 1 if moves else 0
        upto = at + 1
        while upto < rows_out and source[upto] == source[upto - 1] + step:
            upto += 1
        runs.append(Run(at, upto, int(source[at]), moves))
        at = upto
    return runs


class Home(NamedTuple):
    """Where a tensor comes from or goes to, off chip. ``like``: at the address of that home, or ``OWN``."""

    tensor: int
    path: str
    space: Space
    dtype: str
    is_output: bool
    like: int


@dataclass(eq=False)
class Steps:
    """What lowering writes: tensors, and steps over them in program order."""

    geometry: Geometry  # of the machine at hand
    tensors: list[Value] = field(default_factory=list)
    words: array[int] = field(default_factory=lambda: array("q"))
    operations: list[Operation] = field(default_factory=list)
    homes: list[Home] = field(default_factory=list)
    is_general: bool = True  # nothing of the geometry has been asked for: good for all machines of a dataflow
    _current: int = -1  # operation that steps are added for

    def begin(self, name: str, label: str, where: Location, macs: int = 0) -> None:
        """Steps added from here on belong to a new operation."""
        self.operations.append(Operation(name, label, where, macs))
        self._current = len(self.operations) - 1

    def tensor(self, name: str, shape: tuple[int, ...], dtype: str, *, whole_rows: bool = False) -> Value:
        """A new tensor. ``whole_rows``: blocks are not cut between rows (batched transposes need that)."""
        value = Value(name, shape, dtype, whole_rows, len(self.tensors))
        self.tensors.append(value)
        return value

    @property
    def line(self) -> int:
        """Elements of a line of the machine at hand."""
        self.is_general = False
        return self.geometry.line

    def is_cut_between_rows(self, value: Value) -> bool:
        """Whether a block holds less than all rows on the machine at hand."""
        self.is_general = False
        return not value.whole_rows and self.geometry.chunk < value.rows

    # -- steps -----------------------------------------------------------------------------------------------

    def elementwise(
        self,
        function: Function,
        out: Value,
        sources: Sequence[Source],
        *,
        integer: bool = False,
        item: int = 0,
    ) -> None:
        """``out = function(sources)`` over the whole of ``out``."""
        self._add(Step.ELEMENTWISE, *Elementwise(function, out, sources, integer, item).words())

    def copy_rows(
        self,
        out: Value,
        out_row: int,
        source: Value,
        source_row: int,
        rows: int,
        *,
        out_panel: int = 0,
        source_panel: int = 0,
        panels: int = ALL,
        out_step: int = 1,
        source_step: int = 1,
    ) -> None:
        """Copies whole lines between tensors, every ``source_step``-th row to every ``out_step``-th row."""
        to, at = (out.number, out_row, out_panel), (source.number, source_row, source_panel)
        self._add(Step.COPY, *to, *at, rows, panels, out_step, source_step)

    def reduce_rows(
        self,
        function: Function,
        out: Value,
        out_row: int,
        source: Value,
        row: int,
        rows: int,
        *,
        integer: bool,
    ) -> None:
        """Line ``out_row`` of every panel = chain over ``rows`` consecutive rows of the source."""
        flags = Flag.INTEGER if integer else Flag.NONE
        self._add(Step.REDUCE, int(function), int(flags), out.number, out_row, source.number, row, rows)

    def transpose_rows(
        self, out: Value, source: Value, *, out_row: int = 0, row: int = 0, rows: int | None = None
    ) -> None:
        """``out[out_row + c, r] = source[row + r, c]`` for ``rows`` rows, line by line squares.

        The rows read must not be cut by a block within a square: ``row`` is a multiple of the line, or the
        source is held in whole rows.
        """
        count = source.rows if rows is None else rows
        self._add(Step.TRANSPOSE, out.number, out_row, source.number, row, count)

    def matmul(
        self, a: Value, b: Value, epilogue: Elementwise, *, integer: bool, output_stationary: bool
    ) -> None:
        """The product of two tensors, whose accumulator tiles ``epilogue`` reads.

        Shapes: a (m, k), or (k, m) for an output-stationary array; b (k, n).
        """
        flags = int(Flag.INTEGER) if integer else 0
        if not output_stationary:
            flags |= int(Flag.SWAP | Flag.RELEASE)
        self._add(Step.MATMUL, int(output_stationary), a.number, b.number, flags, *epilogue.words())

    def _add(self, kind: Step, *words: int) -> None:
        self.words.extend((kind, 3 + len(words), self._current))
        self.words.extend(words)
