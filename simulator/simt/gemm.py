"""A GEMM kernel: each tile of the catalogue in waves over the SMs, and the fastest of them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator

from simulator.errors import OutOfDomain
from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.main_loop import MainLoop, main_loop
from simulator.simt.memory import GemmShape, operand_traffic
from simulator.simt.result import Bound, KernelTiming, Wave
from simulator.simt.tiles import PlacedTile, catalogue
from simulator.units import ceil_div

SPLITS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_MIN_K_TILES_PER_SPLIT = 4
_AS_FAST = 1.02
_PARTIAL_BYTES = 4  # a split's sums are float32 (int32)


class GemmTimer:
    """GEMM kernels of one operand type on one machine.

    Raises:
        OutOfDomain: no tile of the catalogue fits an SM.
    """

    def __init__(self, machine: SimtMachine, dtype: Dtype) -> None:
        self.machine = machine
        self.sms = machine.sm.count
        macs = machine.peak_macs_per_cycle(dtype) // self.sms
        self.tiles = tuple((placed, main_loop(machine, placed, macs)) for placed in catalogue(machine, dtype))
        if not self.tiles:
            raise OutOfDomain(
                f"{machine.name}: an SM has no room for any thread-block tile of a {dtype} GEMM"
            )
        self._dram_rate = machine.dram_bytes_per_cycle

    def fastest(self, shape: GemmShape, a_in_l2: bool = False, b_in_l2: bool = False) -> KernelTiming:
        """What a library that knows this machine would pick.

        The least cycles; of those within 2 % the one that moves the fewest bytes, which is the larger tile.
        """
        timings = [
            self.timing(shape, placed, loop, splits, a_in_l2, b_in_l2)
            for placed, loop in self.tiles
            for splits in self._splits(shape, placed)
        ]
        limit = min(timing.cycles for timing in timings) * _AS_FAST
        return min((t for t in timings if t.cycles <= limit), key=lambda timing: timing.l2_bytes)

    def timing(
        self,
        shape: GemmShape,
        placed: PlacedTile,
        loop: MainLoop,
        splits: int = 1,
        a_in_l2: bool = False,
        b_in_l2: bool = False,
    ) -> KernelTiming:
        """The GEMM with one tile, k cut into ``splits`` parts whose sums a second kernel adds."""
        machine, tile = self.machine, placed.tile
        slots = self.sms * placed.occupancy.blocks
        blocks = _blocks(shape, placed) * splits
        traffic = operand_traffic(
            shape, tile, min(slots, blocks), machine.l2.capacity_bytes, a_in_l2, b_in_l2
        )
        written = shape.c_bytes if splits == 1 else shape.m * shape.n * _PARTIAL_BYTES * splits
        k_tiles = ceil_div(ceil_div(shape.k, placed.block_k), splits)
        latency = (machine.l2 if a_in_l2 and b_in_l2 else machine.dram).latency_cycles
        fill = latency + machine.sm.shared_memory_latency_cycles
        # Copies run ahead by all stages but one: a k-tile takes at least this part of a load's latency.
        least = k_tiles * max(loop.busy + loop.exposed, latency / (tile.stages - 1))
        # Another resident block, or the next tile of a persistent block, computes while this one starts or
        # stores.
        hidden = placed.occupancy.blocks > 1 or placed.pipe == "wgmma"
        parts: dict[Bound, float] = {}
        waves = []
        drain = 0.0
        for count, repeats in waves_of(blocks, slots):
            share, l2_rate = count / blocks, self._l2_rate(count)
            drain = share * written / l2_rate
            per_sm = ceil_div(count, self.sms)
            wave = _slowest(
                pipe="shared_memory" if loop.shared > loop.compute else "compute",
                busy=per_sm * k_tiles * loop.busy,
                least=least,
                l2=share * traffic.l2_bytes / l2_rate + (drain if hidden else 0.0),
                dram=share * (traffic.dram_bytes + shape.c_bytes) / self._dram_rate,
            )
            if not hidden:
                _add(wave, {"latency": fill, "l2": drain})
            _add(parts, wave, repeats)
            waves.append(Wave(count, per_sm, math.ceil(sum(wave.values())), repeats))
        ends: dict[Bound, float] = {"latency": fill, "l2": drain} if hidden else {"latency": 0.0, "l2": 0.0}
        extra = self._split_sum(shape, written) if splits > 1 else {}
        _add(parts, ends)
        _add(parts, extra)
        return KernelTiming(
            fill_cycles=math.ceil(ends["latency"]),
            waves=tuple(waves),
            drain_cycles=math.ceil(ends["l2"]) + math.ceil(sum(extra.values())),
            parts=parts,
            occupancy=placed.occupancy.fraction,
            tile=tile.name,
            splits=splits,
            dram_bytes=traffic.dram_bytes + shape.c_bytes,
            l2_bytes=traffic.l2_bytes + written + (written + shape.c_bytes if splits > 1 else 0),
            needed_blocks=blocks,
        )

    def _splits(self, shape: GemmShape, placed: PlacedTile) -> Iterator[int]:
        """Ways to cut k while there are SMs without a block."""
        blocks = _blocks(shape, placed)
        slots = self.sms * placed.occupancy.blocks
        k_tiles = ceil_div(shape.k, placed.block_k)
        yield 1
        for splits in SPLITS[1:]:
            if blocks * splits > 2 * slots or k_tiles < splits * _MIN_K_TILES_PER_SPLIT:
                return
            yield splits

    def _l2_rate(self, blocks: int) -> float:
        """Bytes per cycle that the SMs with at least one of ``blocks`` blocks get out of L2."""
        l2 = self.machine.l2
        return float(min(l2.bytes_per_cycle, min(blocks, self.sms) * l2.bytes_per_cycle_per_sm))

    def _split_sum(self, shape: GemmShape, written: int) -> dict[Bound, float]:
        """The kernel that adds the splits' sums, which L2 holds."""
        launch, l2 = self.machine.launch.device_us, self.machine.l2
        rate = self._l2_rate(ceil_div(shape.m * shape.n, 1024))
        return {
            "launch": float(self.machine.to_cycles(launch)),
            "latency": float(l2.latency_cycles),
            "l2": (written + shape.c_bytes) / rate,
        }


@functools.lru_cache(maxsize=64)
def gemm_timer(machine: SimtMachine, dtype: Dtype) -> GemmTimer:
    """The timer of a machine and an operand type, made once."""
    return GemmTimer(machine, dtype)


def waves_of(blocks: int, slots: int) -> Iterator[tuple[int, int]]:
    """(blocks, repeats) of the waves in which ``slots`` places take ``blocks`` blocks: full ones, then the
    tail.
    """
    full, tail = divmod(blocks, slots)
    if full:
        yield slots, full
    if tail:
        yield tail, 1


def _slowest(pipe: Bound, busy: float, least: float, l2: float, dram: float) -> dict[Bound, float]:
    """Parts of a wave's cycles: as long as the slowest of SMs (or a block's own least time), L2 and DRAM."""
    slowest = max(busy, least, l2, dram)
    if slowest in (busy, least):
        return {pipe: busy, "latency": slowest - busy}
    return {"l2": l2} if slowest == l2 else {"dram": dram}


def _add(parts: dict[Bound, float], more: dict[Bound, float], times: int = 1) -> None:
    for bound, cycles in more.items():
        parts[bound] = parts.get(bound, 0.0) + times * cycles


def _blocks(shape: GemmShape, placed: PlacedTile) -> int:
    return ceil_div(shape.m, placed.tile.block_m) * ceil_div(shape.n, placed.tile.block_n)
