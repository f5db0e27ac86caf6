"""What a user writes of an array: its signals, how operands enter and how results leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from simulator.cosim.bench.context import RESULTS, Context
from simulator.cosim.bench.model import Tile, golden
from simulator.cosim.bench.operands import Array

Beat = Sequence[int] | Array
WIDTHS = {"int8": 8, "bfloat16": 16}  # bits of an operand's element
RESULT_BITS = 32


@dataclass(frozen=True)
class Sample:
    """One beat of results as raw 32-bit words (None where a bit was X), first offered and accepted when."""

    words: tuple[int | None, ...]
    offered: int
    accepted: int
    last: bool | None = None  # None: the port has no such signal


@dataclass(frozen=True)
class ValidReady:
    """The signals of a port with a handshake; without ``ready`` every offer is a transfer."""

    valid: str
    data: str
    ready: str | None = None
    last: str | None = None

    @classmethod
    def axi_stream(cls, prefix: str, *, last: bool = False) -> ValidReady:
        """The usual names: ``prefix_tvalid`` and so on; ``last``: the port has ``prefix_tlast``."""
        valid, data, ready = (f"{prefix}_{signal}" for signal in ("tvalid", "tdata", "tready"))
        return cls(valid, data, ready, f"{prefix}_tlast" if last else None)

    async def send(self, ctx: Context, port: str, beats: Iterable[Beat], width: int) -> AsyncIterator[int]:
        """Offer every beat until it is taken, with random pauses before; yields the cycle of each transfer.

        Between offers the data are noise: an array that looks at them without valid gives wrong results.
        """
        every = list(beats)
        noise = ctx.random(f"{port} noise")
        for number, beat in enumerate(every):
            while not ctx.proceed(port):
                await ctx.rising()
            ctx.write(self.data, pack(beat, width))
            ctx.write(self.valid, 1)
            if self.last:
                ctx.write(self.last, int(number == len(every) - 1))
            taken = False
            while not taken:
                await ctx.settled()
                ready = ctx.read(self.ready) if self.ready else 1
                if ready is None:
                    ctx.violation(f"{self.ready} is X")
                taken, cycle = bool(ready), ctx.cycle
                await ctx.rising()
            ctx.write(self.valid, 0)
            ctx.write(self.data, noise.getrandbits(width * len(beat)))
            yield cycle

    async def receive(self, ctx: Context, count: int) -> AsyncIterator[Sample]:
        """Take beats of ``count`` results with random back-pressure; watches that offers stay as they are."""
        held: tuple[int | None, ...] | None = None
        offered = 0
        while True:
            ready = ctx.proceed(RESULTS) or self.ready is None
            if self.ready:
                ctx.write(self.ready, int(ready))
            await ctx.settled()
            valid = ctx.read(self.valid)
            if valid is None:
                ctx.violation(f"{self.valid} is X")
            if held is not None and not valid:
                ctx.violation(f"{self.valid} fell before {self.ready} was high")
                held = None
            if valid:
                words = self._words(ctx, count)
                if held is None:
                    offered = ctx.cycle
                elif held != words:
                    ctx.violation(f"{self.data} changed while {self.valid} waited for {self.ready}")
                held = words
                if ready:
                    last = bool(ctx.read(self.last)) if self.last else None
                    yield Sample(words, offered, ctx.cycle, last)
                    held = None
                else:
                    ctx.stalls += 1
            await ctx.rising()

    def _words(self, ctx: Context, count: int) -> tuple[int | None, ...]:
        data = ctx.read(self.data)
        if data is None:
            return (None,) * count
        return tuple(data >> RESULT_BITS * at & (1 << RESULT_BITS) - 1 for at in range(count))


def pack(beat: Beat, width: int) -> int:
    """Elements as one number, the first in the lowest bits."""
    word = 0
    for at, element in enumerate(beat):
        word |= (int(element) & (1 << width) - 1) << width * at
    return word


class Adapter(ABC):
    """Describes one array: attributes and ``beats``; overridden coroutines where it has another protocol."""

    rows: int
    cols: int
    dtype: str  # int8 (sums int32) or bfloat16 (sums float32)
    dataflow: str = "ws"  # ws, is, os
    accumulates: bool = False  # ws, is: whether the array itself adds the sums of successive k-tiles
    overlap: bool = True  # whether a tile's operands may enter before the previous tile's results have left
    any_nan: bool = False  # whether a NaN may have other bits than 0x7fc00000

    clock: str = "clk_i"
    reset: str = "rst_ni"
    reset_active_low: bool = True
    period_ns: int = 10

    inputs: ClassVar[Mapping[str, ValidReady | None]]  # ports by name; None: ``send`` is overridden
    output: ClassVar[ValidReady | None] = None  # None: ``receive`` is overridden
    results_per_beat: int = 1

    @abstractmethod
    def beats(self, port: str, tile: Tile) -> Iterable[Beat]:
        """What enters a port for one tile, in order; each beat's elements, the lowest bits' first."""

    def result_order(self, tile: Tile) -> Iterator[tuple[int, int]]:
        """``(line, lane)`` of the tile's results in the order in which they leave: line after line."""
        if tile.results is not None:
            yield from ((int(line), int(lane)) for line, lane in np.ndindex(*tile.results.shape))

    def golden(self, left: Array, right: Array) -> Array:
        """``left @ right`` as the array sums it: in the order of ``docs/arithmetic.md``."""
        return golden(self, left, right)

    async def send(self, ctx: Context, port: str, tile: Tile) -> AsyncIterator[int]:
        """Bring one tile's beats into a port; yields the cycle in which each enters."""
        signals = self.inputs[port]
        assert signals is not None, f"{type(self).__name__}.send is not overridden for {port}"
        async for cycle in signals.send(ctx, port, self.beats(port, tile), WIDTHS[self.dtype]):
            yield cycle

    async def receive(self, ctx: Context) -> AsyncIterator[Sample]:
        """Yield every beat of results with its cycles, for as long as the test runs."""
        assert self.output is not None, f"{type(self).__name__}.receive is not overridden"
        async for sample in self.output.receive(ctx, self.results_per_beat):
            yield sample

    def idle(self, ctx: Context) -> None:
        """What the inputs are during reset."""
        for signals in self.inputs.values():
            for name in (signals.valid, signals.data, signals.last) if signals else ():
                if name:
                    ctx.write(name, 0)
        if self.output and self.output.ready:
            ctx.write(self.output.ready, 0)
