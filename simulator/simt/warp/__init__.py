"""The warp core: one SM with its resident thread blocks, warp instruction by warp instruction."""

from __future__ import annotations

from functools import lru_cache

from simulator.machines.simt import SimtMachine
from simulator.simt.tiles import VECTOR_BYTES, Alignment, PlacedTile, Tile
from simulator.simt.warp import cache
from simulator.simt.warp.copies import Layout
from simulator.simt.warp.rates import core_of, rates_of
from simulator.simt.warp.timing import Loop, WarpTiming, simulate

__all__ = ["Layout", "WarpTiming", "loop_of", "main_loop_timing"]

ALONG_K = Layout(rows_along_k=True, cols_along_k=True)


def main_loop_timing(
    machine: SimtMachine,
    placed: PlacedTile,
    blocks: int,
    layout: Layout = ALONG_K,
    memory_latency: int | None = None,
    port_bytes: int | None = None,
    result_alignment: int = VECTOR_BYTES,
) -> WarpTiming:
    """The main loop of a tile with ``blocks`` resident blocks, from memory, from disk or simulated.

    Units: ``memory_latency`` in cycles from a load of operands to its use, without it that of L2;
    ``port_bytes`` per cycle to and from L2, without it the machine's ``l2.bytes_per_cycle_per_sm``;
    ``result_alignment`` in bytes, of the rows of C (mma).

    Raises:
        ValueError: an SM does not hold so many blocks.
    """
    return _timing(loop_of(machine, placed, blocks, layout, memory_latency, port_bytes, result_alignment))


def loop_of(
    machine: SimtMachine,
    placed: PlacedTile,
    blocks: int,
    layout: Layout = ALONG_K,
    memory_latency: int | None = None,
    port_bytes: int | None = None,
    result_alignment: int = VECTOR_BYTES,
) -> Loop:
    """What ``main_loop_timing`` simulates.

    Raises:
        ValueError: an SM does not hold so many blocks.
    """
    if not 1 <= blocks <= placed.occupancy.blocks:
        raise ValueError(f"blocks = {blocks}: 1 to {placed.occupancy.blocks} fit an SM")
    tile = placed.tile
    if placed.pipe == "wgmma" or (placed.pipe == "mma" and placed.item_bytes == 1):
        layout = ALONG_K  # bulk copies bring any layout alike; there are int8 instructions for this one only
    sizes = tile.block_m, tile.block_n, tile.k_bytes, tile.warp_m, tile.warp_n
    latency = machine.l2.latency_cycles if memory_latency is None else memory_latency
    port = machine.l2.bytes_per_cycle_per_sm if port_bytes is None else port_bytes
    return Loop(
        core=core_of(machine, latency, port),
        rates=rates_of(machine, placed.pipe, placed.item_bytes),
        tile=Tile(*sizes, tile.stages, tile.slices),
        pipe=placed.pipe,
        item_bytes=placed.item_bytes,
        layout=layout,
        alignment=Alignment(placed.alignment, result_alignment),
        blocks=blocks,
    )


@lru_cache(maxsize=8192)
def _timing(loop: Loop) -> WarpTiming:
    timing = cache.load(loop)
    if timing is None:
        timing = simulate(loop)
        cache.store(loop, timing)
    return timing
