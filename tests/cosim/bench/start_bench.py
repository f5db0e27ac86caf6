"""cocotb test of an output-stationary array with a start pulse, skewed buses and results at addresses."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, ClassVar

import cocotb

from simulator.cosim.bench import Adapter, Context, Moment, Sample, Tile, ValidReady, pack, run
from simulator.cosim.bench.adapter import Beat

ROWS, COLS = 3, 5


def skewed(lines: Beat, cycle: int) -> Iterator[int]:
    """Element n of line ``cycle - n``, 0 where there is no such line."""
    for n in range(len(lines[0])):
        yield int(lines[cycle - n][n]) if 0 <= cycle - n < len(lines) else 0


class StartArray(Adapter):
    """Both buses are one port, for they move together; nothing enters before the results have been read."""

    rows, cols, dtype, dataflow, overlap = ROWS, COLS, "int8", "os", False
    clock, reset, reset_active_low = "clk", "rst", False
    inputs: ClassVar[dict[str, ValidReady | None]] = {"operands": None}

    def beats(self, port: str, tile: Tile) -> Iterable[Beat]:
        for cycle in range(len(tile.held) + max(ROWS, COLS) - 1):
            yield pack(list(skewed(tile.streamed, cycle)), 8), pack(list(skewed(tile.held, cycle)), 8)

    async def send(self, ctx: Context, port: str, tile: Tile) -> AsyncIterator[int]:
        while not ctx.proceed(port):
            await ctx.rising()
        ctx.write("len_i", len(tile.held))
        for number, (left, top) in enumerate(self.beats(port, tile)):
            ctx.write("start_i", int(number == 0))
            ctx.write("left_i", left)
            ctx.write("top_i", top)
            yield ctx.cycle
            await ctx.rising()

    async def receive(self, ctx: Context) -> AsyncIterator[Sample]:
        while True:
            await ctx.settled()
            while not ctx.read("done_o"):
                await ctx.rising()
                await ctx.settled()
            done = ctx.cycle
            for address in range(ROWS * COLS):
                await ctx.rising()
                while not ctx.proceed("results"):
                    await ctx.rising()
                ctx.write("addr_i", address)
                await ctx.rising()
                await ctx.settled()
                yield Sample((ctx.read("data_o"),), ctx.cycle if address else done, ctx.cycle)
            while ctx.read("done_o"):
                await ctx.rising()
                await ctx.settled()

    def idle(self, ctx: Context) -> None:
        ctx.write("fault_i", int(os.environ.get("FAULT", "0")))
        for name in ("start_i", "len_i", "left_i", "top_i", "addr_i"):
            ctx.write(name, 0)


def due(moment: Moment) -> int | None:
    """When ``done_o`` rises; the other results come when they are asked for."""
    return moment.entered["operands"][-1] + ROWS if moment.beat == 0 else None


@cocotb.test()
async def values_and_cycles(dut: Any) -> None:
    """Ragged and whole tiles, of one product and of many, with pauses and without."""
    for back_pressure in (0.0, 0.4):
        summary = await run(
            dut, StartArray(), gemms=[(1, 1, 1), (3, 4, 5), (7, 9, 11), (2, 30, 6)], seed=3,
            back_pressure=back_pressure, cycles=due,
        )  # fmt: skip
        assert summary.timed == summary.tiles
