"""Warp programs of tiles on tensor cores that read shared memory (Hopper): a producer warp, warp groups."""

from __future__ import annotations

from math import lcm

from simulator.machines.simt import WARP_THREADS
from simulator.simt.tiles import VECTOR_BYTES, Tile
from simulator.simt.warp.addresses import SECTOR_BYTES, WAVEFRONT_BYTES
from simulator.simt.warp.fma import LOOP, SETUP
from simulator.simt.warp.instructions import (
    Barrier,
    BlockProgram,
    Instruction,
    Op,
    WarpProgram,
    waiting,
)
from simulator.simt.warp.mma import STEP_BYTES
from simulator.simt.warp.rates import Rates
from simulator.units import ceil_div

GROUP_WARPS = 4  # that multiply 64 rows together, 16 each
_WARP_ROWS = 16
_FIRST = 2  # multiplies of a k-tile that are started before the k-tile before is known to be done


def wgmma_program(tile: Tile, item_bytes: int, rates: Rates) -> BlockProgram:
    """The block's program.

    Bulk copies write to shared memory beside what the tensor cores read: 128x128 tiles reach nearly the rate
    of larger ones on H100, which leaves no wavefronts for copies.

    One thread of a producer warp starts the bulk copies of both operands into every stage that is empty; the
    other producer warps have nothing to do. A stage is given back when the first multiplies of the k-tile
    after it have been started and its own are done; the first k-tile gives back one that was never taken.
    """
    groups = tile.math_warps // GROUP_WARPS
    rounds = tile.block_m // (GROUP_WARPS * _WARP_ROWS) // groups
    barriers = [Barrier(tile.math_warps)]
    for stage in range(tile.stages):
        barriers += [Barrier(2), Barrier(tile.math_warps, completed=int(stage < tile.stages - 1))]
    consumers = [_consumer(tile, item_bytes, rates, rounds)] * tile.math_warps
    return BlockProgram((*consumers, _producer(tile, rates)), tuple(barriers))


def _full(tile: Tile, k_tile: int) -> int:
    """The barrier at which the copies of a k-tile arrive, one per stage."""
    return 1 + 2 * (k_tile % tile.stages)


def _empty(tile: Tile, k_tile: int) -> int:
    """The barrier at which the warps arrive that are done with a k-tile."""
    return 2 + 2 * (k_tile % tile.stages)


def _integer(rates: Rates, dst: int = -1, needs: tuple[int, ...] = ()) -> Instruction:
    return Instruction(Op.ALU, rates.integer_interval, rates.integer_latency, dst, needs)


def _producer(tile: Tile, rates: Rates) -> WarpProgram:

    def body(k_tile: int) -> tuple[Instruction, ...]:
        copies = [
            Instruction(
                Op.COPY,
                sectors=extent * tile.k_bytes // SECTOR_BYTES,
                arrives=_full(tile, k_tile),
            )
            for extent in (tile.block_m, tile.block_n)
        ]
        loop = [_integer(rates) for _ in range(LOOP)]
        return (Instruction(Op.WAIT, waits=_empty(tile, k_tile)), *copies, *loop)

    bodies = tuple(body(k_tile) for k_tile in range(tile.stages))
    return WarpProgram(tuple(_integer(rates) for _ in range(SETUP)), bodies, bodies)


def _consumer(tile: Tile, item_bytes: int, rates: Rates, rounds: int) -> WarpProgram:
    """A warp of a group: 16 of its 64 rows, and a quarter of the columns' operand, which all four get."""
    macs = _WARP_ROWS * tile.block_n * STEP_BYTES // item_bytes
    read = _WARP_ROWS * STEP_BYTES + ceil_div(tile.block_n * STEP_BYTES, GROUP_WARPS)
    passes = ceil_div(read, WAVEFRONT_BYTES)

    def body(k_tile: int) -> tuple[Instruction, ...]:
        multiply = Instruction(
            Op.WGMMA,
            rates.wgmma_interval(macs, _WARP_ROWS * STEP_BYTES),
            rates.tensor_latency,
            dst=k_tile % 2,
            wavefronts=passes,
            macs=macs,
        )
        multiplies = [multiply] * (tile.k_bytes // STEP_BYTES * rounds)
        given = (
            _integer(rates, needs=(1 - k_tile % 2,)),
            Instruction(Op.ARRIVE, arrives=_empty(tile, k_tile - 1)),
        )
        full = Instruction(Op.WAIT, waits=_full(tile, k_tile))
        loop = [_integer(rates) for _ in range(LOOP)]
        return (full, *multiplies[:_FIRST], *given, *multiplies[_FIRST:], *loop)

    bodies = tuple(body(k_tile) for k_tile in range(lcm(2, tile.stages)))
    return WarpProgram(
        tuple(_integer(rates) for _ in range(SETUP)), bodies, bodies, _stores(tile, item_bytes, rates, rounds)
    )


def _stores(tile: Tile, item_bytes: int, rates: Rates, rounds: int) -> tuple[Instruction, ...]:
    """Sums converted, brought to shared memory and sent out by a bulk copy."""
    sums = _WARP_ROWS * tile.block_n * rounds
    size = sums * (4 if item_bytes == 1 else item_bytes)
    stores = ceil_div(size, WARP_THREADS * VECTOR_BYTES)
    found = [_integer(rates, 2, (0, 1))]  # the last multiplies are done
    found += [_integer(rates) for _ in range(sums // WARP_THREADS // 2)]  # pairs of sums
    found += [Instruction(Op.STS, needs=(2,), wavefronts=4) for _ in range(stores)]
    found += [Instruction(Op.SYNC, arrives=0)]
    found += [Instruction(Op.STG, sectors=size // SECTOR_BYTES, wavefronts=size // WAVEFRONT_BYTES)]
    return waiting(found)
