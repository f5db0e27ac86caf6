"""How many thread blocks an SM holds at once: the rules of NVIDIA's occupancy calculator."""

from __future__ import annotations

from typing import NamedTuple

from simulator.machines.simt import WARP_THREADS, SimtMachine
from simulator.units import ceil_div

MAX_THREADS_PER_BLOCK = 1024  # every compute capability from 2.0 on


class Occupancy(NamedTuple):
    """Residents of one SM: ``fraction`` of the warps it can hold, ``limit`` is what ran out first."""

    blocks: int
    warps: int
    fraction: float
    limit: str


def occupancy(machine: SimtMachine, threads: int, registers: int, shared_bytes: int) -> Occupancy:
    """Residents of one SM for blocks of ``threads`` threads, each of ``registers`` 32-bit registers.

    ``blocks`` is 0 where a single block does not fit.

    Units: ``shared_bytes`` per block.
    Source: NVIDIA CUDA Occupancy Calculator (cuda_occupancy.h). Registers are allocated in granules per warp
    and within one sub-core's share of the register file, shared memory in granules after the system's own
    share; a block can be launched if its warps, rounded up to a granule, find registers.
    """
    sm = machine.sm
    warps = ceil_div(threads, WARP_THREADS)
    warp_registers = _round_up(max(1, registers) * WARP_THREADS, sm.register_allocation_unit)
    shared = _round_up(shared_bytes + sm.shared_memory_reserved_bytes, sm.shared_memory_unit_bytes)
    if (
        not 1 <= threads <= MAX_THREADS_PER_BLOCK
        or registers > sm.registers_per_thread_limit
        or warp_registers * _round_up(warps, sm.warp_allocation_unit) > machine.registers
        or shared_bytes > sm.shared_memory_per_block_bytes
    ):
        return Occupancy(0, 0, 0.0, "block")
    register_warps = machine.registers // sm.sub_cores // warp_registers * sm.sub_cores
    limits = {
        "warps": min(sm.max_warps // warps, sm.max_threads // threads),
        "blocks": sm.max_blocks,
        "registers": register_warps // warps,
        "shared_memory": sm.shared_memory_bytes // shared if shared else sm.max_blocks,
    }
    limit = min(limits, key=lambda name: limits[name])
    blocks = limits[limit]
    return Occupancy(blocks, blocks * warps, blocks * warps / sm.max_warps, limit)


def _round_up(value: int, unit: int) -> int:
    return ceil_div(value, unit) * unit
