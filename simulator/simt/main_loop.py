"""One k-tile of a GEMM's main loop on one SM: cycles of each pipe, and the least time of a block on its own.

This is the analytic stand-in for a warp-by-warp simulation: replace ``main_loop`` and nothing else has to
change.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from simulator.machines.simt import WARP_THREADS, SimtMachine
from simulator.simt.tiles import PlacedTile, thread_tile

# Multiply-accumulates of one warp instruction on 2-byte operands: mma.m8n8k4 does four 8x8x4, mma.m16n8k16
# one.
_MMA_MACS = {"volta": 1024, "ampere": 2048, "hopper": 2048}
_VECTOR_BYTES = 16 * WARP_THREADS  # a warp's 16-byte loads and stores
_LOOP_INSTRUCTIONS = 8  # per warp and k-tile: pointers, predicates, barrier, branch
_WGMMA_ROWS = 64
_SHARED_WAVEFRONTS = 2  # of a 16-byte fragment load of a warp: 256 bytes without broadcast duplicates


@dataclass(frozen=True)
class MainLoop:
    """Cycles of one k-tile of one block.

    ``busy`` is what the busiest pipe needs (``compute``: multiply or issue; ``shared``: shared memory):
    blocks on the same SM add up. ``exposed`` is what a block waits in every k-tile while none of its own
    work is under way: another block's work fills it.
    """

    compute: float
    shared: float
    exposed: float

    @property
    def busy(self) -> float:
        """Cycles of the busiest pipe."""
        return max(self.compute, self.shared)


@functools.lru_cache(maxsize=1024)
def main_loop(machine: SimtMachine, placed: PlacedTile, macs_per_cycle: int) -> MainLoop:
    """Pipes of one k-tile of one block.

    Units: cycles of the SM; ``macs_per_cycle`` per SM on the tile's pipe.
    """
    tile, sm = placed.tile, machine.sm
    multiply = tile.block_m * tile.block_n * placed.block_k / macs_per_cycle
    stored = (tile.block_m + tile.block_n) * tile.k_bytes
    copies = stored / _VECTOR_BYTES
    warps = tile.math_warps
    if placed.pipe == "wgmma":
        # Every 64 rows read the whole of B's k-tile, A once; TMA writes both.
        read = (tile.block_m + tile.block_m // _WGMMA_ROWS * tile.block_n) * tile.k_bytes
        return MainLoop(multiply, (read + stored) / sm.shared_memory_bytes_per_cycle, 0.0)
    if placed.pipe == "mma":
        read = warps // tile.slices * (tile.warp_m + tile.warp_n) * tile.k_bytes
        macs = _MMA_MACS[machine.generation] * 2 // placed.item_bytes
        instructions = tile.block_m * tile.block_n * placed.block_k / macs + read / _VECTOR_BYTES + copies
        shared = (read + stored) / sm.shared_memory_bytes_per_cycle
    else:
        rows, cols = thread_tile(tile)
        steps = tile.k_bytes // 4 // tile.slices  # words of k: one float32, or four int8
        loads = (rows + cols) / 4
        # A copy goes to registers, then to shared memory.
        instructions = warps * steps * (rows * cols + loads) + 2 * copies
        wavefronts = warps * steps * loads * _SHARED_WAVEFRONTS * WARP_THREADS * 4
        shared = (wavefronts + stored) / sm.shared_memory_bytes_per_cycle
    issue = (instructions + warps * _LOOP_INSTRUCTIONS) / sm.issue_per_cycle
    return MainLoop(max(multiply, issue), shared, sm.shared_memory_latency_cycles + sm.fma_latency_cycles)
