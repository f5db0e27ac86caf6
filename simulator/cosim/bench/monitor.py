"""The monitor: takes beats of results as they leave the array; knows nothing of what they should be."""

from __future__ import annotations

from typing import Any

import cocotb

from simulator.cosim.bench.adapter import Adapter, Sample
from simulator.cosim.bench.context import Context


class Monitor:
    """Collects samples in the order of their arrival."""

    def __init__(self, ctx: Context, adapter: Adapter) -> None:
        self._ctx, self._adapter = ctx, adapter
        self.samples: list[Sample] = []
        self._task: Any = None

    def start(self) -> None:
        """Begin to listen."""
        self._task = cocotb.start_soon(self._listen())

    def stop(self) -> None:
        """Listen no more."""
        if self._task is not None and not self._task.done():
            self._task.cancel()

    async def until(self, count: int, quiet_cycles: int) -> bool:
        """Wait for ``count`` samples in all; False if for ``quiet_cycles`` nothing moved on any port."""
        while len(self.samples) < count:
            if self._ctx.cycle - self._ctx.progress > quiet_cycles:
                return False
            await self._ctx.settled()  # in mid-cycle every task has noted what happened at the last edge
        return True

    async def _listen(self) -> None:
        async for sample in self._adapter.receive(self._ctx):
            self.samples.append(sample)
            self._ctx.progress = max(self._ctx.progress, sample.accepted)
