"""Compares what a Program left off chip with what a graph's outputs must be, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.graph import STORAGE, Graph
from simulator.interpreter.host import MemoryState, as_matrix, stored_form
from simulator.program import Placement, Space

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class TensorComparison:
    """One output: how many elements differ, and the first of them, as bits."""

    path: str
    elements: int
    different: int
    first: tuple[int, int] | None = None  # row and column in the 2-D layout
    expected_bits: int = 0
    actual_bits: int = 0

    def __str__(self) -> str:
        if self.first is None:
            return f"{self.path}: {self.elements} elements equal to the bit"
        row, column = self.first
        return (
            f"{self.path}: {self.different} of {self.elements} elements differ, first at row {row}, "
            f"column {column}: expected 0x{self.expected_bits:x}, got 0x{self.actual_bits:x}"
        )


@dataclass(frozen=True)
class OutputComparison:
    """All outputs of a graph."""

    tensors: tuple[TensorComparison, ...]

    @property
    def elements(self) -> int:
        """Elements that were compared."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def different(self) -> int:
        """Elements that differ in any bit."""
        return sum(tensor.different for tensor in self.tensors)

    @property
    def equal(self) -> bool:
        """Whether every bit is the same."""
        return self.different == 0

    def __str__(self) -> str:
        if self.equal:
            return f"{self.elements} elements of {len(self.tensors)} outputs equal to the bit"
        worst = next(tensor for tensor in self.tensors if tensor.different)
        return f"{self.different} of {self.elements} elements differ; {worst}"


def compare_outputs(state: MemoryState, graph: Graph, expected: Mapping[str, Array]) -> OutputComparison:
    """Compare every output with its expected value, of storage type and any shape of the same 2-D layout.

    Raises:
        ProgramError: an output is not placed, its expected value is missing, or is of another type or shape.
    """
    return OutputComparison(tuple(_compare(state, graph, path, expected) for path in graph.outputs))


def output_placement(state: MemoryState, graph: Graph, path: str) -> Placement:
    """Where a Program leaves an output: at its own path, or at that of the input whose place it takes.

    Raises:
        ProgramError: nowhere.
    """
    paths = [path, *([graph.carried[path]] if path in graph.carried else [])]
    placed = [p for p in state.program.placements if p.path in paths and p.space is not Space.HBM_CURRENT]
    # A carried output goes to the next step's base, unless the Program has only one place for it.
    placed.sort(key=lambda p: (p.space is not Space.HBM_NEXT, paths.index(p.path)))
    if not placed:
        raise ProgramError(f"output {path!r} is not placed")
    return placed[0]


def _compare(state: MemoryState, graph: Graph, path: str, expected: Mapping[str, Array]) -> TensorComparison:
    if path not in expected:
        raise ProgramError(f"no expected value of output {path!r} is given")
    placement = output_placement(state, graph, path)
    value = np.asarray(expected[path])
    matrix = as_matrix(stored_form(value))
    if value.dtype != STORAGE[placement.dtype] or matrix.shape != (placement.rows, placement.cols):
        raise ProgramError(
            f"output {path!r}: expected {value.dtype}{list(value.shape)}, placed as {placement.dtype} "
            f"{placement.rows} x {placement.cols}"
        )
    actual = state.read_bits(placement)
    unequal = actual != matrix
    count = int(np.count_nonzero(unequal))
    if not count:
        return TensorComparison(path, matrix.size, 0)
    row, column = (int(axis) for axis in np.unravel_index(int(np.argmax(unequal)), matrix.shape))
    bits = int(matrix[row, column]), int(actual[row, column])
    return TensorComparison(path, matrix.size, count, (row, column), *bits)
