"""The state of the machine: memories, weight FIFO, array."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
import numpy.typing as npt

from simulator.errors import ProgramError
from simulator.interpreter.memory import Memory, Pattern
from simulator.machines.systolic import SystolicMachine
from simulator.program import Space

Commit = Callable[[], None]
"""An instruction that has read its operands: the call writes its results."""

Operand = npt.NDArray[Any]


def nothing() -> None:
    """The commit of an instruction without results."""


@final
class Weights:
    """The tiles that WLOADs have put into the weight FIFO, and which of them the array uses."""

    def __init__(self) -> None:
        self._tiles: dict[int, Operand] = {}
        self._pushed = 0
        self.active = -1  # number of the active tile; -1 before the first SWAP

    def push(self, tile: Operand) -> None:
        """A WLOAD has ended."""
        self._tiles[self._pushed] = tile
        self._pushed += 1

    def use(self, number: int) -> Operand:
        """The tile with this number (in the order of WLOADs); the tiles before it are gone.

        Raises:
            ProgramError: no tile was ever swapped in, or the FIFO has not got this one.
        """
        if number < 0:
            raise ProgramError("no weights are active: the first MATMUL needs the flag SWAP")
        if number not in self._tiles:
            raise ProgramError(f"SWAP of tile {number}, but only {self._pushed} WLOADs have ended")
        for older in [key for key in self._tiles if key < number]:
            del self._tiles[older]
        return self._tiles[number]


@final
class OutputChain:
    """The sums in an output-stationary array, as the operands that went into their chains.

    A chain over k has no other order than that of its operands, so the sums are computed once, when drained.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Operand, Operand]] | None = None

    def feed(self, left: Operand, right: Operand, accumulate: bool) -> None:
        """A MATMUL: ``left`` (k, rows) and ``right`` (k, cols), k after k.

        Raises:
            ProgramError: there is no chain to go on with, or it is of another type.
        """
        if not accumulate:
            self.parts = []
        elif self.parts is None:
            raise ProgramError("ACCUMULATE, but the array holds no sums (none fed, or drained)")
        assert self.parts is not None
        if self.parts and self.parts[-1][0].dtype != left.dtype:
            raise ProgramError("ACCUMULATE on sums of another type")
        self.parts.append((left, right))

    def drain(self) -> tuple[Operand, Operand]:
        """The operands of the whole chain; the array's sums are gone.

        Raises:
            ProgramError: the array holds no sums.
        """
        if self.parts is None:
            raise ProgramError("DRAIN, but the array holds no sums (none fed, or drained)")
        parts, self.parts = self.parts, None
        if len(parts) == 1:
            return parts[0]
        return np.concatenate([left for left, _ in parts]), np.concatenate([right for _, right in parts])


@final
class Core:
    """Everything that instructions read and write."""

    def __init__(self, machine: SystolicMachine, memory_granules: Mapping[Space, int], seed: int) -> None:
        self.machine = machine
        self.width = width = machine.line_elements
        self.pattern = Pattern(seed)
        self.buffer = Memory("unified buffer", width, machine.buffer_granules, self.pattern)
        lines = machine.accumulators.lines
        self.accumulators = Memory("accumulators", width, 4 * lines, self.pattern, lines_only=True)
        self.off_chip = {
            space: Memory(space.name, width, memory_granules.get(space, 0), self.pattern) for space in Space
        }
        self.weights = Weights()
        self.chain = OutputChain()
        self.stores: deque[Commit] = deque()  # stores that the memory has not answered yet

    def sub_line(self, index: int, elements: int) -> int:
        """The first element of a sub-line.

        Raises:
            ProgramError: a line has no such sub-line.
        """
        if (index + 1) * elements > self.width:
            raise ProgramError(f"sub-line {index} of {elements} elements, of a line of {self.width}")
        return index * elements
