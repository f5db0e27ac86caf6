"""What a SIMT simulation answers: kernels with their time, waves, bytes and what bounds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Bound = Literal["compute", "shared_memory", "l2", "dram", "latency", "launch"]
BOUNDS: tuple[Bound, ...] = ("compute", "shared_memory", "l2", "dram", "latency", "launch")


@dataclass(frozen=True)
class Wave:
    """Thread blocks that start together, at most ``per_sm`` on an SM; ``cycles`` is one of ``repeats``."""

    blocks: int
    per_sm: int
    cycles: int
    repeats: int = 1


@dataclass(frozen=True)
class KernelTiming:
    """A kernel on its own, without its launch: fill, waves one after another, drain.

    ``parts`` are the cycles by what bounds them; they add up to ``cycles`` but for rounding each wave up to
    whole cycles.
    """

    fill_cycles: int
    waves: tuple[Wave, ...]
    drain_cycles: int
    parts: dict[Bound, float]
    occupancy: float
    tile: str
    splits: int
    dram_bytes: int
    l2_bytes: int
    needed_blocks: int

    @property
    def cycles(self) -> int:
        """Cycles from the first block's start to the last one's end."""
        return self.fill_cycles + sum(wave.cycles * wave.repeats for wave in self.waves) + self.drain_cycles

    @property
    def blocks(self) -> int:
        """Thread blocks dispatched."""
        return sum(wave.blocks * wave.repeats for wave in self.waves)

    def bound(self, launch_cycles: int) -> Bound:
        """What most of the time goes to, the launch included."""
        parts = dict(self.parts)
        parts["launch"] = parts.get("launch", 0.0) + launch_cycles
        return max(BOUNDS, key=lambda bound: parts.get(bound, 0.0))


@dataclass(frozen=True)
class KernelResult:
    """One kernel of a step.

    Units: ``cycles`` of the sustained clock, launch included; ``start_cycle`` is when its launch begins on
    the device, ``idle_cycles`` how long the device had nothing to do before (the host or a copy was late).
    ``m, n, k`` are 0 unless it is a GEMM; ``macs`` are the useful multiply-accumulates, ``operations``
    element operations.
    """

    name: str
    label: str
    m: int
    n: int
    k: int
    dtype: str
    tile: str
    splits: int
    blocks: int
    waves: int
    occupancy: float
    bytes_dram: int
    bytes_l2: int
    macs: int
    operations: int
    cycles: int
    time_us: float
    launch_us: float
    bound: Bound
    utilization: float
    start_cycle: int = 0
    idle_cycles: int = 0
    nodes: tuple[int, ...] = ()

    @property
    def end_cycle(self) -> int:
        """First cycle after its last block."""
        return self.start_cycle + self.cycles


@dataclass(frozen=True)
class CopyResult:
    """A transfer between the host and the device on a copy engine of its own."""

    path: str
    to_device: bool
    n_bytes: int
    start_cycle: int
    end_cycle: int


@dataclass(frozen=True)
class SimtResult:
    """A graph on a SIMT machine.

    Units: ``cycles`` of the sustained clock from the host's first call to the end of the last kernel and
    copy.
    """

    machine: str
    dtype: str
    fused: bool
    cycles: int
    time_us: float
    macs: int
    utilization: float
    kernels: list[KernelResult] = field(default_factory=list)
    copies: list[CopyResult] = field(default_factory=list)

    @property
    def bytes_dram(self) -> int:
        """Bytes between DRAM and L2, all kernels."""
        return sum(kernel.bytes_dram for kernel in self.kernels)

    @property
    def bytes_l2(self) -> int:
        """Bytes between L2 and the SMs, all kernels."""
        return sum(kernel.bytes_l2 for kernel in self.kernels)

    @property
    def cycles_by_bound(self) -> dict[Bound, int]:
        """Kernel cycles by what bounds the kernel."""
        cycles = dict.fromkeys(BOUNDS, 0)
        for kernel in self.kernels:
            cycles[kernel.bound] += kernel.cycles
        return cycles
