"""Main loops of tiles: cycles per k-tile at every residency, from the warp core."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from simulator.machines.simt import SimtMachine
from simulator.simt.tiles import PlacedTile
from simulator.simt.warp import Layout, main_loop_timing

_MOST_BLOCKS = 4  # more residents share pipes that are full: their k-tiles take in proportion
# The kernel level limits what crosses a port: it knows how much of a tile lies inside the matrices.
_PORT_BYTES = 4096


class AlongK(NamedTuple):
    """Whether k lies along the rows of an operand in memory, for A and for B."""

    a: bool
    b: bool


@lru_cache(maxsize=128)
def main_loops(
    machine: SimtMachine, tiles: Sequence[PlacedTile], along_k: AlongK
) -> tuple[tuple[float, ...], ...]:
    """For each tile, the cycles in which 1, 2, ... resident blocks together finish one k-tile each."""
    return tuple(_loop(machine, placed, along_k) for placed in tiles)


def _loop(machine: SimtMachine, placed: PlacedTile, along_k: AlongK) -> tuple[float, ...]:
    layout = Layout(along_k.b, along_k.a) if placed.tile.swapped else Layout(along_k.a, along_k.b)
    simulated = [
        float(main_loop_timing(machine, placed, blocks, layout, port_bytes=_PORT_BYTES).cycles_per_k_tile)
        for blocks in range(1, min(placed.occupancy.blocks, _MOST_BLOCKS) + 1)
    ]
    beyond = range(len(simulated) + 1, placed.occupancy.blocks + 1)
    return (*simulated, *(simulated[-1] * blocks / len(simulated) for blocks in beyond))
