"""The host, the device's stream and the copy engines as SimPy processes: who starts when.

Times are whole cycles of the device's sustained clock.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import simpy

from simulator.simt.result import CopyResult, KernelTiming

Process = Generator[simpy.Event, Any, None]

LAUNCH_QUEUE_DEPTH = 1024  # launches that the host may run ahead by (CUDA's default)


@dataclass(frozen=True)
class Launch:
    """A kernel in the stream: its timing, and the host tensors that it needs on the device."""

    timing: KernelTiming
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """A transfer of ``n_bytes`` in ``cycles``; one to the host starts after kernel number ``after``."""

    path: str
    n_bytes: int
    cycles: int
    after: int = -1


@dataclass(frozen=True)
class Costs:
    """Cycles of a launch: the host's work, the way to the device, the device's work."""

    host: int
    latency: int
    device: int


@dataclass(frozen=True)
class Span:
    """A kernel on the device, from its launch to its last block's end; ``idle`` is the wait before."""

    start: int
    end: int
    idle: int
    blocks: int


class Timeline:
    """One step: the host launches kernels in order, the device runs them in order, copies run beside them."""

    def __init__(
        self, costs: Costs, launches: Sequence[Launch], to_device: Sequence[Copy], to_host: Sequence[Copy]
    ) -> None:
        self.costs = costs
        self.launches = launches
        self.spans: list[Span] = []
        self.copies: list[CopyResult] = []
        self._env = simpy.Environment()
        self._places = simpy.Container(self._env, LAUNCH_QUEUE_DEPTH, LAUNCH_QUEUE_DEPTH)
        self._arrived = [self._env.event() for _ in launches]
        self._finished = [self._env.event() for _ in launches]
        self._on_device: Mapping[str, simpy.Event] = {copy.path: self._env.event() for copy in to_device}
        for process in (self._host(), self._device(), self._upload(to_device), self._download(to_host)):
            self._env.process(process)

    def run(self) -> int:
        """Cycles until the last kernel and the last copy have ended."""
        self._env.run()
        return max((*(span.end for span in self.spans), *(copy.end_cycle for copy in self.copies)), default=0)

    def _host(self) -> Process:
        """Launches take the host's time one after another and reach the device later."""
        for arrived in self._arrived:
            yield self._places.get(1)
            yield self._env.timeout(self.costs.host)
            self._env.process(self._deliver(arrived))

    def _deliver(self, arrived: simpy.Event) -> Process:
        yield self._env.timeout(self.costs.latency)
        arrived.succeed()

    def _device(self) -> Process:
        """One kernel at a time: launch, fill, waves of thread blocks, drain."""
        env, end = self._env, 0
        for launch, arrived, finished in zip(self.launches, self._arrived, self._finished, strict=True):
            yield env.all_of([arrived, *(self._on_device[path] for path in launch.needs)])
            start, blocks = int(env.now), 0
            yield self._places.put(1)
            yield env.timeout(self.costs.device + launch.timing.fill_cycles)
            for wave in launch.timing.waves:
                yield env.timeout(wave.cycles * wave.repeats)
                blocks += wave.blocks * wave.repeats
            yield env.timeout(launch.timing.drain_cycles)
            self.spans.append(Span(start, int(env.now), start - end, blocks))
            end = int(env.now)
            finished.succeed()

    def _upload(self, copies: Sequence[Copy]) -> Process:
        for copy in copies:
            yield from self._transfer(copy, True)
            self._on_device[copy.path].succeed()

    def _download(self, copies: Sequence[Copy]) -> Process:
        for copy in sorted(copies, key=lambda copy: copy.after):
            if copy.after >= 0:
                yield self._finished[copy.after]
            yield from self._transfer(copy, False)

    def _transfer(self, copy: Copy, to_device: bool) -> Process:
        start = int(self._env.now)
        yield self._env.timeout(copy.cycles)
        self.copies.append(CopyResult(copy.path, to_device, copy.n_bytes, start, int(self._env.now)))
