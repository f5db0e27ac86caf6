"""The weight-stationary grid of the array oracle (``pe_array``), one clock at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.oracles.pe_arithmetic import Arithmetic, Array
from tests.oracles.pe_array import (
    Accumulators,
    ArrayParameters,
    Fault,
    Report,
    Result,
    RowStream,
    WeightShift,
    blank_memory,
)
from tests.oracles.pe_registers import EMPTY, Records, Registers, Skew, empty, record_dtype


class StationaryArray:
    """R x C PEs that hold weights. Activations move right, partial sums and weights down.

    Tags: an activation and its sums carry the number of their row (counted over all streams), a weight that
    of its tile.
    """

    def __init__(
        self,
        parameters: ArrayParameters,
        arithmetic: Arithmetic,
        shifts: Sequence[WeightShift],
        streams: Sequence[RowStream],
        lines: int,
    ) -> None:
        self._parameters = p = parameters
        self._arithmetic = arithmetic
        self._shifts = shifts
        self._streams = streams
        self.report = Report(blank_memory(arithmetic, lines, p.cols))
        self._accumulators = Accumulators(p, arithmetic, self.report)

        value = arithmetic.dtype
        self._activation = record_dtype(value, ("swap", bool), ("release", bool), ("enable", bool))
        self._sum = record_dtype(value)
        self._weight = record_dtype(value, ("line", np.int32))
        grid = (p.rows, p.cols)
        row, col = np.arange(p.rows), np.arange(p.cols)
        # Ports: row r gets its activation r row delays late, so that it meets the sum from above; column c
        # everything c hops late; below, column c waits for the last column.
        self._row_skew = Skew(row * p.row_delay, self._activation)
        self._weight_skew = Skew(col * p.horizontal_hop, self._weight)
        self._deskew = Skew((p.cols - 1 - col) * p.horizontal_hop, self._sum)
        # Registers between the PEs.
        self._right = Registers(grid, p.horizontal_hop, self._activation)
        self._down = Registers(grid, p.row_delay, self._sum)
        self._weights_down = Registers(grid, p.vertical_hop, self._weight)
        # Registers in the PEs. With one buffer the register being loaded is the active one.
        self._shadow = empty(grid, self._weight)
        self._active = empty(grid, self._weight)

        self._rows_at, self._row_of_tag = self._row_port()
        self._weights_at = self._weight_port()
        self._tile_of_tag = np.array([streams[event].tile for event, _ in self._row_of_tag] or [0])

    def run(self) -> Report:
        """Clock until everything that enters has left."""
        p = self._parameters
        last = max([*self._rows_at, *self._weights_at], default=0)
        way_down = p.rows * max(p.row_delay, p.vertical_hop) + p.cols * p.horizontal_hop
        for cycle in range(last + way_down + p.adder_latency + 1):
            self._cycle(cycle)
        return self.report

    def _row_port(self) -> tuple[dict[int, Records], list[tuple[int, int]]]:
        """The activations at the port in each cycle, before the skew, and the stream and row of each tag."""
        port: dict[int, Records] = {}
        whose: list[tuple[int, int]] = []
        for event, stream in enumerate(self._streams):
            for i, values in enumerate(stream.rows):
                record = empty((self._parameters.rows,), self._activation)
                record["value"] = values
                record["tag"] = len(whose)
                record["swap"] = stream.swap and i == 0
                record["release"] = stream.release and i == len(stream.rows) - 1
                record["enable"] = stream.enable
                whose.append((event, i))
                if stream.cycle + i in port:
                    self.report.mark(stream.cycle + i, Fault.COLLISION, np.ones((1, 1)))
                port[stream.cycle + i] = record
        return port, whose

    def _weight_port(self) -> dict[int, Records]:
        port: dict[int, Records] = {}
        for tile, shift in enumerate(self._shifts):
            for i, values in enumerate(shift.weights):
                record = empty((self._parameters.cols,), self._weight)
                record["value"], record["tag"], record["line"] = values, tile, i
                if shift.cycle + i in port:
                    self.report.mark(shift.cycle + i, Fault.COLLISION, np.ones((1, 1)))
                port[shift.cycle + i] = record
        return port

    def _cycle(self, cycle: int) -> None:
        """One clock: what every PE sees, then what every register takes over at the clock edge."""
        p, report = self._parameters, self.report
        none = empty((p.rows,), self._activation), empty((p.cols,), self._weight)
        if cycle in self._rows_at:
            report.entries.append(cycle)
        left = self._row_skew.step(self._rows_at.get(cycle, none[0]))
        top = self._weight_skew.step(self._weights_at.get(cycle, none[1]))

        # What stands at the inputs of every PE in this cycle.
        activation = np.concatenate([left[:, np.newaxis], self._right.output[:, :-1]], axis=1)
        weight = np.concatenate([top[np.newaxis], self._weights_down.output[:-1]], axis=0)
        above = empty((p.rows, p.cols), self._sum)
        above[1:] = self._down.output[:-1]
        above[0]["tag"] = activation[0]["tag"]  # row 0 adds to +0
        present = activation["tag"] != EMPTY
        report.mark(cycle, Fault.COLLISION, above["tag"] != activation["tag"])

        # The PEs' sums.
        swap = present & activation["swap"]
        double = p.weight_buffers == 2
        used = np.where(swap, self._shadow, self._active) if double else self._active
        self._check_weights(cycle, activation, used, present, swap)
        below = above.copy()
        total = self._arithmetic.fma(activation["value"], used["value"], above["value"])
        below["value"] = np.where(activation["enable"], total, above["value"])

        # A weight is captured by the first PE whose register is free as this cycle begins, and forwarded
        # otherwise.
        loading = self._shadow if double else self._active
        arriving = weight["tag"] != EMPTY
        capture = arriving & (loading["tag"] == EMPTY)
        forward = np.where(arriving & ~capture, weight, empty((), self._weight))
        report.mark(cycle, Fault.WRONG_ROW, capture & (weight["line"] != np.arange(p.rows)[:, np.newaxis]))
        at_bottom = np.arange(p.rows)[:, np.newaxis] == p.rows - 1
        report.mark(cycle, Fault.WEIGHT_LOST, at_bottom & (forward["tag"] != EMPTY))

        # Clock edge.
        self._right.clock(activation)
        self._weights_down.clock(forward)
        free = empty((), self._weight)
        if double:
            self._active = used
            kept = np.where(swap, free, self._shadow)
            self._shadow = np.where(capture, weight, kept)
        else:
            kept = np.where(present & activation["release"], free, self._active)
            self._active = np.where(capture, weight, kept)
        self._collect(cycle)
        self._down.clock(below)

    def _check_weights(
        self, cycle: int, activation: Records, used: Records, present: Array, swap: Array
    ) -> None:
        p = self._parameters
        needed = present & activation["enable"]
        self.report.mark(cycle, Fault.EMPTY_SWAP, needed & swap & (used["tag"] == EMPTY))
        right_tile = used["tag"] == self._tile_of_tag[activation["tag"]]
        right_row = used["line"] == np.arange(p.rows)[:, np.newaxis]
        self.report.mark(cycle, Fault.WRONG_WEIGHT, needed & ~(right_tile & right_row))

    def _collect(self, cycle: int) -> None:
        """What the bottom row shows goes through the de-skew into the accumulators."""
        edge = self._deskew.step(self._down.output[-1])
        tag = int(edge["tag"][0])
        if np.any(edge["tag"] != tag):
            self.report.mark(cycle, Fault.COLLISION, np.ones((1, 1)))
        if tag == EMPTY:
            self._accumulators.step(cycle, None)
            return
        event, row = self._row_of_tag[tag]
        stream = self._streams[event]
        self._accumulators.step(
            cycle, Result(event, row, stream.line + row, stream.accumulate, edge["value"].copy())
        )


def run_stationary(
    parameters: ArrayParameters,
    arithmetic: Arithmetic,
    shifts: Sequence[WeightShift],
    streams: Sequence[RowStream],
    lines: int,
) -> Report:
    """Run a schedule through the weight-stationary grid; ``lines`` is the number of accumulator lines."""
    return StationaryArray(parameters, arithmetic, shifts, streams, lines).run()
