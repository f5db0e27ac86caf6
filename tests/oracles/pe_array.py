"""The matrix unit's oracle: a grid of PEs with explicit registers, advanced one clock at a time.

Stupid on purpose. It knows no timing formula: it is given what enters the array in which cycle, moves every
record one register per clock, and reports when results come out, what they are, and every rule of the
hardware that was broken. ``pe_stationary`` is the weight-stationary grid (input-stationary is the same on the
transposed problem), ``pe_output`` the output-stationary one.

Cycles: a value put into a register in cycle t is visible from cycle t + 1. An event's ``cycle`` is the one in
which its first record stands at row 0, column 0.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from tests.oracles.pe_arithmetic import Arithmetic, Array


@dataclass(frozen=True)
class ArrayParameters:
    """Sizes and latencies of the hardware, in cycles where they are latencies."""

    rows: int
    cols: int
    pe_latency: int  # fma pipeline, output register included
    vertical_hop: int  # registers from a PE to the one below
    horizontal_hop: int  # registers from a PE to the one on its right
    adder_latency: int  # stages of the accumulators' adder, from a result at the edge to its write
    weight_buffers: int = 2

    @property
    def row_delay(self) -> int:
        """Registers a partial sum passes per row: the PE's own and the wire's beyond the first."""
        return self.pe_latency + self.vertical_hop - 1


@dataclass(frozen=True)
class WeightShift:
    """A tile's weights (rows x cols) enter at the top, line i, which is row i's, in cycle ``cycle + i``."""

    cycle: int
    weights: Array


@dataclass(frozen=True)
class RowStream:
    """A MATMUL (ws, is): one row of activations per cycle; row i's result goes to accumulator ``line + i``.

    ``rows`` is M x rows of the array, ``enable`` says which rows of PEs compute (the others pass the sum
    through), ``tile`` is the WeightShift (counted from 0) whose weights the software means. ``swap`` travels
    with the first row, ``release`` with the last.
    """

    cycle: int
    rows: Array
    enable: Array
    tile: int
    line: int
    accumulate: bool = False
    swap: bool = False
    release: bool = False


@dataclass(frozen=True)
class PairStream:
    """A MATMUL (os): pair k of lines enters in cycle ``cycle + k pe_latency``.

    ``left`` is K x rows, ``top`` K x cols.
    """

    cycle: int
    left: Array
    top: Array
    accumulate: bool = False


@dataclass(frozen=True)
class SumDrain:
    """A DRAIN (os): the bottom row's sums leave in ``cycle``, the other rows' follow.

    Row r's sums go to accumulator ``line + r`` if r < ``valid``.
    """

    cycle: int
    line: int
    valid: int


class Fault(StrEnum):
    """A rule of the hardware that a schedule broke."""

    COLLISION = "two things in the same place in the same cycle"
    WEIGHT_LOST = "a weight found no free register and left at the bottom"
    WRONG_ROW = "a weight was captured by another row than its own"
    EMPTY_SWAP = "a swap met an empty shadow register"
    WRONG_WEIGHT = "a row was multiplied by another weight than its tile's"
    STALE_SUM = "a sum was used before it was complete"


class Violation(NamedTuple):
    """What went wrong, when and at which PE (or accumulator line and -1)."""

    cycle: int
    fault: Fault
    row: int
    col: int


class Write(NamedTuple):
    """The write strobe of one accumulator line. ``event`` and ``row`` say whose result it is."""

    cycle: int
    line: int
    event: int
    row: int


@dataclass
class Report:
    """What the oracle saw."""

    memory: Array  # accumulators, lines x cols
    violations: list[Violation] = field(default_factory=list)
    # (event, row): the cycle in which a result stands at the array's edge, complete and de-skewed. For a
    # PairStream the row is k, and the cycle the one in which every PE shows the sum that includes pair k.
    complete: dict[tuple[int, int], int] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    # Every cycle in which a row (os: a pair) stands at row 0, column 0; in which a line of sums leaves (os).
    entries: list[int] = field(default_factory=list)
    drained: list[int] = field(default_factory=list)

    def faults(self) -> set[Fault]:
        """The kinds of violation."""
        return {violation.fault for violation in self.violations}

    def mark(self, cycle: int, fault: Fault, where: Array) -> None:
        """Record a violation at every PE that ``where`` (rows x cols) names."""
        if not where.any():
            return
        for row, col in np.argwhere(where):
            self.violations.append(Violation(cycle, fault, int(row), int(col)))

    def end(self, event: int) -> int:
        """The cycle after the last write strobe of an event."""
        return max(write.cycle for write in self.writes if write.event == event) + 1


class Result(NamedTuple):
    """A line of results at the array's edge, on its way into the accumulators."""

    event: int
    row: int
    line: int
    accumulate: bool
    values: Array


class Accumulators:
    """Lines of sums under the array, read where the adder's stages begin, written where they end."""

    def __init__(self, parameters: ArrayParameters, arithmetic: Arithmetic, report: Report) -> None:
        self._arithmetic = arithmetic
        self._report = report
        # The adder's stages but the last, whose register is the memory itself.
        self._adder: deque[Result | None] = deque([None] * (parameters.adder_latency - 1))

    def step(self, cycle: int, result: Result | None) -> None:
        """One cycle: take a line of results in, write the one that has reached the end of the adder."""
        report = self._report
        if result is not None:
            report.complete[result.event, result.row] = cycle
            if result.accumulate:
                if any(ahead is not None and ahead.line == result.line for ahead in self._adder):
                    report.violations.append(Violation(cycle, Fault.STALE_SUM, result.line, -1))
                total = self._arithmetic.add(report.memory[result.line], result.values)
                result = result._replace(values=total)
        self._adder.append(result)
        written = self._adder.popleft()
        if written is not None:
            report.memory[written.line] = written.values
            report.writes.append(Write(cycle, written.line, written.event, written.row))


def blank_memory(arithmetic: Arithmetic, lines: int, cols: int) -> Array:
    """Accumulators before the run: a pattern that spoils whatever is added to it."""
    pattern = np.arange(lines * cols).reshape(lines, cols) * 7919 + 12345
    return pattern.astype(arithmetic.dtype)
