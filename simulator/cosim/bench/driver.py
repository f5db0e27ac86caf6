"""The driver: brings the tiles' operands into the array's ports and notes when each beat entered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cocotb
from cocotb.triggers import Event

from simulator.cosim.bench.adapter import Adapter
from simulator.cosim.bench.context import Context
from simulator.cosim.bench.model import Tile


class Driver:
    """One task per port; or, without ``overlap``, one task, port after port and tile after tile."""

    def __init__(self, ctx: Context, adapter: Adapter, tiles: Sequence[Tile]) -> None:
        self._ctx, self._adapter, self._tiles = ctx, adapter, tiles
        self.entered: list[dict[str, list[int]]] = [{port: [] for port in adapter.inputs} for _ in tiles]
        self._left = [Event() for _ in tiles]
        self._tasks: list[Any] = []

    def start(self) -> None:
        """Begin to drive."""
        if self._adapter.overlap:
            self._tasks = [cocotb.start_soon(self._drive([port])) for port in self._adapter.inputs]
        else:
            self._tasks = [cocotb.start_soon(self._drive(list(self._adapter.inputs)))]

    def stop(self) -> None:
        """Drive no more."""
        for task in self._tasks:
            if not task.done():
                task.cancel()

    def left(self, tile: Tile) -> None:
        """Told when a tile's results have left the array."""
        self._left[tile.index].set()

    def state(self, tile: Tile) -> str:
        """How far a tile's operands came, for messages."""
        ports = self.entered[tile.index].items()
        return "; ".join(f"{port}: {len(cycles)} beats entered" for port, cycles in ports)

    async def _drive(self, ports: list[str]) -> None:
        for tile in self._tiles:
            for port in ports:
                log = self.entered[tile.index][port]
                async for cycle in self._adapter.send(self._ctx, port, tile):
                    log.append(cycle)
                    self._ctx.progress = max(self._ctx.progress, cycle)
            if not self._adapter.overlap and tile.results is not None:
                await self._left[tile.index].wait()
                await self._ctx.rising()
