"""What the kernel level needs of a tile's main loop: a block program simulated until it repeats itself."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

from simulator.simt.tiles import Alignment, Tile
from simulator.simt.tiles import Pipe as TilePipe
from simulator.simt.warp.addresses import SECTOR_BYTES
from simulator.simt.warp.copies import Layout
from simulator.simt.warp.fma import fma_program
from simulator.simt.warp.instructions import BlockProgram, Op, Pipe, Stall
from simulator.simt.warp.mma import mma_program
from simulator.simt.warp.rates import Rates
from simulator.simt.warp.sm import Sm
from simulator.simt.warp.state import Activity, Core
from simulator.simt.warp.wgmma import wgmma_program

_SETTLING = 2  # k-tiles after the pipeline is full before it is looked at
_OBSERVED = 6  # k-tiles that are looked at, at least
_WORK = 20_000  # instructions up to which more are
_MOST_PERIOD = 14
_ASSURED = 4  # k-tiles beyond two periods that have to agree


@dataclass(frozen=True)
class Loop:
    """All that a main loop's timing depends on: ``blocks`` resident blocks of a tile on an SM."""

    core: Core
    rates: Rates
    tile: Tile
    pipe: TilePipe
    item_bytes: int  # of an operand in shared memory
    layout: Layout
    alignment: Alignment
    blocks: int

    def program(self) -> BlockProgram:
        """The warp programs of a block."""
        if self.pipe == "wgmma":
            return wgmma_program(self.tile, self.item_bytes, self.rates)
        if self.pipe == "mma":
            return mma_program(self.tile, self.item_bytes, self.rates, self.layout, self.alignment)
        return fma_program(self.tile, self.item_bytes, self.rates, self.layout)

    def k_tiles(self, program: BlockProgram) -> int:
        """How many are simulated: to fill the pipeline, to look at, and the last, which load no more."""
        body = self.blocks * sum(len(warp.bodies[0]) for warp in program.warps)
        observed = max(_OBSERVED, min(2 * _MOST_PERIOD + _ASSURED, _WORK // body))
        return self.tile.stages + _SETTLING + observed + self.tile.stages


@dataclass(frozen=True)
class WarpTiming:
    """A main loop with ``blocks`` resident blocks.

    ``cycles_per_k_tile``: cycles in which each resident block advances by one k-tile, exact if ``period`` is
    not 0: the SM repeats itself every so many k-tiles; else the mean over the k-tiles looked at.
    ``fill_cycles``: from the start of the blocks to the first multiply (wgmma: to its end).
    ``drain_cycles``: from the last multiply to the last store's way out.

    The rest belongs to the whole simulation, ``cycles`` for ``k_tiles`` k-tiles and all sub-cores together:
    ``issued`` instructions by kind, cycles ``busy`` by pipe, cycles in which schedulers were ``issuing``, or
    waited (``stalls``, by reason), ``wavefronts`` of shared memory, bytes that crossed the port to L2.
    """

    blocks: int
    cycles_per_k_tile: Fraction
    period: int
    macs_per_k_tile: int  # of one block
    fill_cycles: int
    drain_cycles: int
    cycles: int
    k_tiles: int
    issuing: int
    issued: dict[str, int]
    busy: dict[str, int]
    stalls: dict[str, int]
    wavefronts: int
    loaded_bytes: int
    stored_bytes: int


def simulate(loop: Loop) -> WarpTiming:
    """Blocks that start together."""
    program = loop.program()
    k_tiles, stages = loop.k_tiles(program), loop.tile.stages
    activity = Sm(loop.core, program, loop.blocks, k_tiles).run()
    observed = slice(stages + _SETTLING - 1, k_tiles - stages)
    cycles, period = _steady(activity, observed)
    return WarpTiming(
        blocks=loop.blocks,
        cycles_per_k_tile=cycles,
        period=period,
        macs_per_k_tile=program.macs_per_k_tile,
        fill_cycles=min(issued[0] for issued in activity.multiplied if issued),
        drain_cycles=activity.cycles - max(ends[-1] for ends in activity.k_tile_ends),
        cycles=activity.cycles,
        k_tiles=k_tiles,
        issuing=sum(activity.issuing),
        issued=_by_name(Op, activity.issued),
        busy=_by_name(Pipe, activity.busy),
        stalls=_by_name(Stall, activity.stalls),
        wavefronts=activity.wavefronts,
        loaded_bytes=activity.sectors_in * SECTOR_BYTES,
        stored_bytes=activity.sectors_out * SECTOR_BYTES,
    )


def _by_name(kinds: type[IntEnum], rows: list[list[int]]) -> dict[str, int]:
    return {kind.name: sum(row[kind] for row in rows) for kind in kinds}


def _steady(activity: Activity, observed: slice) -> tuple[Fraction, int]:
    """Cycles in which the SM multiplies a k-tile of each block, and the period in k-tiles of its repetition.

    The k-tiles looked at are those of the block that gets ahead of the others; between the ends of two of
    them the SM has multiplied so much for all blocks together.
    """
    leader = min(activity.k_tile_ends, key=lambda ends: ends[-1])
    per_k_tile = sum(len(cycles) for cycles in activity.multiplied) // len(leader)
    ends = leader[observed]
    done = [sum(bisect_right(cycles, end) for cycles in activity.multiplied) for end in ends]
    steps = [
        (later - sooner, more - less)
        for sooner, later, less, more in zip(ends, ends[1:], done, done[1:], strict=False)
    ]
    for period in range(1, _MOST_PERIOD + 1):
        last = steps[-2 * period - _ASSURED :]
        if len(last) == 2 * period + _ASSURED and last[period:] == last[:-period]:
            part = last[:period]
            break
    else:
        period, part = 0, steps
    cycles, multiplied = sum(c for c, _ in part), sum(m for _, m in part)
    return Fraction(cycles * per_k_tile, multiplied), period
