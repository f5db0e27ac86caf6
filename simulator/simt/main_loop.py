"""Main loops of tiles: cycles per k-tile at every residency, from the warp core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from simulator.machines.simt import SimtMachine
from simulator.simt.tiles import VECTOR_BYTES, PlacedTile
from simulator.simt.warp import Layout, main_loop_timing

_MOST_BLOCKS = 4  # more residents share pipes that are full: their k-tiles take in proportion
# The kernel level limits what crosses a port: it knows how much of a tile lies inside the matrices.
_PORT_BYTES = 4096


class AlongK(NamedTuple):
    """Whether k lies along the rows of an operand in memory, for A and for B."""

    a: bool
    b: bool


class MainLoop(NamedTuple):
    """A tile's: ``cycles[r - 1]`` in which ``r`` resident blocks together finish one k-tile each, and what
    crosses the port per byte of operands: more than 1 where rows begin or end within sectors.

    Rows that are less aligned make no loop faster.
    """

    cycles: tuple[float, ...]
    crossing: float


class WayOut(NamedTuple):
    """A tile's results with rows that are not aligned: cycles that storing a byte takes longer, and what
    crosses the port per byte.
    """

    cycles: float
    crossing: float


@lru_cache(maxsize=256)
def main_loops(
    machine: SimtMachine, tiles: Sequence[PlacedTile], along_k: AlongK
) -> tuple[MainLoop, ...]:
    """Of each tile."""
    return tuple(_loop(machine, placed, along_k) for placed in tiles)


@lru_cache(maxsize=256)
def ways_out(machine: SimtMachine, tiles: Sequence[PlacedTile], alignment: int) -> tuple[WayOut, ...]:
    """Of each tile, for rows of C aligned to so many bytes."""
    return tuple(_way_out(machine, placed, alignment) for placed in tiles)


def _loop(machine: SimtMachine, placed: PlacedTile, along_k: AlongK) -> MainLoop:
    tile = placed.tile
    layout = Layout(along_k.b, along_k.a) if tile.swapped else Layout(along_k.a, along_k.b)
    simulated = [
        main_loop_timing(machine, placed, blocks, layout, port_bytes=_PORT_BYTES)
        for blocks in range(1, min(placed.occupancy.blocks, _MOST_BLOCKS) + 1)
    ]
    cycles = [float(timing.cycles_per_k_tile) for timing in simulated]
    if placed.alignment < VECTOR_BYTES:  # where narrower copies happen to be issued in a better order
        aligned = _loop(machine, replace(placed, alignment=VECTOR_BYTES), along_k)
        cycles = [max(pair) for pair in zip(cycles, aligned.cycles[: len(cycles)], strict=True)]
    beyond = range(len(cycles) + 1, placed.occupancy.blocks + 1)
    operands = simulated[0].k_tiles * (tile.block_m + tile.block_n) * tile.k_bytes
    crossing = simulated[0].loaded_bytes / operands
    return MainLoop((*cycles, *(cycles[-1] * blocks / len(cycles) for blocks in beyond)), crossing)


def _way_out(machine: SimtMachine, placed: PlacedTile, alignment: int) -> WayOut:
    """What comes after the last multiply, compared with that of aligned rows: operands came in alike.

    Narrower stores are never faster, however well they happen to be issued.
    """
    if placed.pipe != "mma" or alignment == VECTOR_BYTES:
        return WayOut(0.0, 1.0)
    alike = replace(placed, alignment=VECTOR_BYTES)
    timings, results = [], VECTOR_BYTES
    while results >= alignment:
        timings.append(
            main_loop_timing(machine, alike, 1, port_bytes=_PORT_BYTES, result_alignment=results)
        )
        results //= 2
    aligned, longest = timings[0], max(timing.drain_cycles for timing in timings)
    size = aligned.stored_bytes
    return WayOut((longest - aligned.drain_cycles) / size, timings[-1].stored_bytes / size)
