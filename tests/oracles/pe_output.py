"""The output-stationary grid of the array oracle (``pe_array``), one clock at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.oracles.pe_arithmetic import Arithmetic
from tests.oracles.pe_array import (
    Accumulators,
    ArrayParameters,
    Fault,
    PairStream,
    Report,
    Result,
    SumDrain,
    blank_memory,
)
from tests.oracles.pe_registers import EMPTY, Records, Registers, Skew, empty, record_dtype


class OutputArray:
    """R x C PEs that hold sums. Left operands move right, top operands down; a DRAIN shifts the sums down.

    Tags: operands and sums carry the number of the pair (counted over all streams) that they are, or include
    last.
    """

    def __init__(
        self,
        parameters: ArrayParameters,
        arithmetic: Arithmetic,
        events: Sequence[PairStream | SumDrain],
        lines: int,
    ) -> None:
        self._parameters = p = parameters
        self._arithmetic = arithmetic
        self._events = events
        self.report = Report(blank_memory(arithmetic, lines, p.cols))
        self._accumulators = Accumulators(p, arithmetic, self.report)

        self._operand = record_dtype(arithmetic.dtype, ("first", bool))
        self._sum_dtype = record_dtype(arithmetic.dtype)
        grid = (p.rows, p.cols)
        row, col = np.arange(p.rows), np.arange(p.cols)
        self._left_skew = Skew(row * p.vertical_hop, self._operand)
        self._top_skew = Skew(col * p.horizontal_hop, self._operand)
        self._right = Registers(grid, p.horizontal_hop, self._operand)
        self._down = Registers(grid, p.vertical_hop, self._operand)
        # The fma's stages but the last, whose register is the sum itself.
        self._fma = Skew(np.full(p.rows * p.cols, p.pe_latency - 1), self._sum_dtype)
        self._sum = empty(grid, self._sum_dtype)

        self._pair_of_tag: list[tuple[int, int]] = []
        self._left_at: dict[int, Records] = {}
        self._top_at: dict[int, Records] = {}
        # Cycle -> the event, the row that leaves, and the tag of the last pair that its sums must include.
        self._drain_at: dict[int, tuple[int, int, int]] = {}
        for event, what in enumerate(events):
            if isinstance(what, PairStream):
                self._schedule_pairs(event, what)
            else:
                self._schedule_drain(event, what)
        # PEs whose sum has yet to include each pair.
        self._unseen = np.full(len(self._pair_of_tag), p.rows * p.cols)

    def run(self) -> Report:
        """Clock until everything that enters has left."""
        p = self._parameters
        last = max([*self._left_at, *self._drain_at], default=0)
        across = p.rows * p.vertical_hop + p.cols * p.horizontal_hop
        for cycle in range(last + across + p.pe_latency + p.adder_latency + 1):
            self._cycle(cycle)
        return self.report

    def _schedule_pairs(self, event: int, stream: PairStream) -> None:
        p = self._parameters
        for k, (left, top) in enumerate(zip(stream.left, stream.top, strict=True)):
            cycle = stream.cycle + k * p.pe_latency
            if cycle in self._left_at:
                self.report.mark(cycle, Fault.COLLISION, np.ones((1, 1)))
            for port, values in ((self._left_at, left), (self._top_at, top)):
                record = empty((len(values),), self._operand)
                record["value"], record["tag"] = values, len(self._pair_of_tag)
                record["first"] = k == 0 and not stream.accumulate
                port[cycle] = record
            self._pair_of_tag.append((event, k))

    def _schedule_drain(self, event: int, drain: SumDrain) -> None:
        rows = self._parameters.rows
        for i in range(rows):
            if drain.cycle + i in self._drain_at:
                self.report.mark(drain.cycle + i, Fault.COLLISION, np.ones((1, 1)))
            self._drain_at[drain.cycle + i] = (event, rows - 1 - i, len(self._pair_of_tag) - 1)

    def _cycle(self, cycle: int) -> None:
        """One clock: what every PE sees, then what every register takes over at the clock edge."""
        p, report = self._parameters, self.report
        if cycle in self._left_at:
            report.entries.append(cycle)
        left = self._left_skew.step(self._left_at.get(cycle, empty((p.rows,), self._operand)))
        top = self._top_skew.step(self._top_at.get(cycle, empty((p.cols,), self._operand)))
        a = np.concatenate([left[:, np.newaxis], self._right.output[:, :-1]], axis=1)
        b = np.concatenate([top[np.newaxis], self._down.output[:-1]], axis=0)
        present = a["tag"] != EMPTY
        report.mark(cycle, Fault.COLLISION, a["tag"] != b["tag"])

        # A chain begins at +0; every other pair needs the sum that includes the pair before it.
        continues = present & ~a["first"]
        report.mark(cycle, Fault.STALE_SUM, continues & (self._sum["tag"] != a["tag"] - 1))
        start = np.where(a["first"], self._arithmetic.dtype.type(0), self._sum["value"])
        product = empty((p.rows, p.cols), self._sum_dtype)
        product["value"] = self._arithmetic.fma(a["value"], b["value"], start)
        product["tag"] = a["tag"]
        finished = self._fma.step(product.ravel()).reshape(p.rows, p.cols)
        done = finished["tag"] != EMPTY

        # Clock edge: the sums take a finished fma, or, while they drain, the sum of the row above.
        next_sum = np.where(done, finished, self._sum)
        self._drain(cycle, done)
        if cycle in self._drain_at:
            next_sum[1:] = self._sum[:-1]
            next_sum[0] = empty((), self._sum_dtype)
        for tag in finished["tag"][done]:
            self._unseen[tag] -= 1
            if self._unseen[tag] == 0:
                report.complete[self._pair_of_tag[tag]] = cycle + 1
        self._sum = next_sum
        self._right.clock(a)
        self._down.clock(b)

    def _drain(self, cycle: int, done: np.ndarray) -> None:
        """The bottom row's sums go into the accumulators."""
        if cycle not in self._drain_at:
            self._accumulators.step(cycle, None)
            return
        event, row, tag = self._drain_at[cycle]
        drain = self._events[event]
        assert isinstance(drain, SumDrain)
        bottom = self._sum[-1]
        self.report.drained.append(cycle)
        self.report.mark(cycle, Fault.COLLISION, done)
        self.report.mark(cycle, Fault.STALE_SUM, bottom["tag"][np.newaxis] != tag)
        result = Result(event, row, drain.line + row, False, bottom["value"].copy())
        self._accumulators.step(cycle, result if row < drain.valid else None)


def run_output(
    parameters: ArrayParameters,
    arithmetic: Arithmetic,
    events: Sequence[PairStream | SumDrain],
    lines: int,
) -> Report:
    """Run a schedule, in program order, through the os grid; ``lines`` is the number of accumulator lines."""
    return OutputArray(parameters, arithmetic, events, lines).run()
