"""cocotb tests on the example's array beyond its own: another dataflow, wrong adapters, bounds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cocotb
import numpy as np

from examples.cosim_axi_stream.axis_bench import COLS, ROWS, AxisSystolic
from simulator.cosim.bench import Gemm, Latency, Moment, Tile, ValidReady, run
from simulator.cosim.bench.adapter import Beat


class InputStationary(AxisSystolic):
    """The same hardware holding A^T."""

    dataflow = "is"


class Forgetful(AxisSystolic):
    """Brings one row of weights too few, so that the array never begins."""

    overlap = False

    def beats(self, port: str, tile: Tile) -> Iterable[Beat]:
        every = list(super().beats(port, tile))
        return every[1:] if port == "weights" else every


class Other(AxisSystolic):
    """Believes that the array adds one to every sum."""

    def golden(self, left: Any, right: Any) -> Any:
        return super().golden(left, right) + 1


class Short(AxisSystolic):
    """Believes that a line's last result does not leave, and does not look at last."""

    output = ValidReady.axi_stream("m_axis")

    def result_order(self, tile: Tile) -> Any:
        return ((line, lane) for line, lane in super().result_order(tile) if (line, lane) != (0, COLS - 1))


GEMMS = [(5, 6, 7), (2, 9, 3)]


@cocotb.test()
async def input_stationary(dut: Any) -> None:
    """Transposed, with pauses, in time."""
    due = Latency("activations", ROWS + COLS)
    summary = await run(dut, InputStationary(), gemms=GEMMS, back_pressure=0.4, cycles=due)
    assert summary.stalls > 0
    assert summary.timed == summary.results == sum((4 * -(-m // 4)) * n * -(-k // 4) for m, k, n in GEMMS)


@cocotb.test()
async def same_seed_same_cycles(dut: Any) -> None:
    """A run is repeated by its seed."""
    first, second, other = [
        await run(dut, AxisSystolic(), gemms=GEMMS, seed=seed, back_pressure=0.5) for seed in (1, 1, 2)
    ]
    assert (first.cycles, first.stalls) == (second.cycles, second.stalls) != (other.cycles, other.stalls)


@cocotb.test()
async def own_operands_and_a_range(dut: Any) -> None:
    """Operands of the user's, and cycles within bounds; None is not checked."""

    def due(moment: Moment) -> range | None:
        entered = moment.entered["activations"][moment.line]
        return None if moment.lane else range(entered + ROWS + COLS, entered + 100)

    identity = Gemm(np.eye(4, dtype=np.int8), np.arange(16, dtype=np.int8).reshape(4, 4))
    summary = await run(dut, AxisSystolic(), gemms=[identity], cycles=due)
    assert (summary.results, summary.timed) == (16, 4)


@cocotb.test()
async def hang(dut: Any) -> None:
    """Fails, with what it waits for."""
    await run(dut, Forgetful(), gemms=GEMMS, timeout_cycles=200)


@cocotb.test()
async def other_arithmetic(dut: Any) -> None:
    """Fails in the first value."""
    await run(dut, Other(), gemms=GEMMS)


@cocotb.test()
async def too_many(dut: Any) -> None:
    """Fails: a result comes that no one expects."""
    await run(dut, Short(), gemms=[(1, 4, 4)])


@cocotb.test()
async def too_early(dut: Any) -> None:
    """Fails: the adapter's user expects another latency."""
    await run(dut, AxisSystolic(), gemms=GEMMS, cycles=Latency("activations", ROWS + COLS + 2))
