"""cocotb tests of the project's own array: skewed ports without a handshake, both coroutines written out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar

import cocotb

from simulator.cosim.bench import Adapter, Context, Sample, Tile, ValidReady, after_array, pack, run
from simulator.cosim.bench.adapter import Beat
from simulator.timing import row_delay
from tests.support.machines import small_machine

ROWS, COLS, PE_LATENCY, HOP_H, HOP_V = 4, 4, 2, 2, 1
MACHINE = small_machine(
    rows=ROWS, cols=COLS, pe_latency_cycles=PE_LATENCY, horizontal_hop_cycles=HOP_H, vertical_hop_cycles=HOP_V
)


class OwnArray(Adapter):
    """Skews what enters, de-skews what leaves; a tile enters when the one before has left."""

    rows, cols, overlap, results_per_beat = ROWS, COLS, False, COLS
    inputs: ClassVar[dict[str, ValidReady | None]] = {"weights": None, "activations": None}

    def __init__(self, dtype: str, dataflow: str) -> None:
        self.dtype, self.dataflow = dtype, dataflow

    def idle(self, ctx: Context) -> None:
        ctx.write("mutant_i", int(os.environ.get("MUTANT", "0")))
        ctx.write("int8_i", int(self.dtype == "int8"))
        for name in ("left_valid_i", "left_first_i", "left_data_i", "top_valid_i", "top_data_i"):
            ctx.write(name, 0)

    def beats(self, port: str, tile: Tile) -> Iterable[Beat]:
        return tile.held if port == "weights" else tile.streamed

    async def send(self, ctx: Context, port: str, tile: Tile) -> AsyncIterator[int]:
        side, lanes, delay = ("top", COLS, HOP_H) if port == "weights" else ("left", ROWS, row_delay(MACHINE))
        beats = list(self.beats(port, tile))
        for cycle in range(len(beats) + (lanes - 1) * delay):
            places = [cycle - lane * delay for lane in range(lanes)]
            here = [0 <= place < len(beats) for place in places]
            data = [
                beats[at][lane] if ok else 0 for lane, (at, ok) in enumerate(zip(places, here, strict=True))
            ]
            ctx.write(f"{side}_valid_i", pack(here, 1))
            ctx.write(f"{side}_data_i", pack(data, 16))
            if side == "left":
                ctx.write("left_first_i", pack([place == 0 for place in places], 1))
            if cycle < len(beats):
                yield ctx.cycle
            await ctx.rising()
        ctx.write(f"{side}_valid_i", 0)

    async def receive(self, ctx: Context) -> AsyncIterator[Sample]:
        waiting: list[deque[int]] = [deque() for _ in range(COLS)]
        while True:
            await ctx.settled()
            valid, sums = ctx.read("valid_o"), ctx.read("sum_o")
            assert valid is not None and sums is not None
            for lane in range(COLS):
                if valid >> lane & 1:
                    waiting[lane].append(sums >> 32 * lane & 0xFFFFFFFF)
            if waiting[-1]:
                yield Sample(tuple(lane.popleft() for lane in waiting), ctx.cycle, ctx.cycle)
            await ctx.rising()


async def _check(dut: Any, dtype: str, dataflow: str) -> None:
    due = after_array(MACHINE, "activations")
    gemms = [(1, 1, 1), (8, 4, 4), (5, 9, 6), (7, 12, 3), (16, 16, 8)]
    summary = await run(dut, OwnArray(dtype, dataflow), gemms=gemms, seed=3, cycles=due)
    assert summary.timed == summary.results
    assert summary.coverage.missing() == []


@cocotb.test()
async def int8(dut: Any) -> None:
    """int8, weight-stationary."""
    await _check(dut, "int8", "ws")


@cocotb.test()
async def bfloat16(dut: Any) -> None:
    """bfloat16, weight-stationary."""
    await _check(dut, "bfloat16", "ws")


@cocotb.test()
async def input_stationary(dut: Any) -> None:
    """bfloat16, input-stationary."""
    await _check(dut, "bfloat16", "is")
