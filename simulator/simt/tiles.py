"""Thread-block tiles of GEMM libraries, per pipe and generation.

The float32 tiles carry the names of cuBLAS kernels (``ampere_sgemm_128x64``, ``..._32x32_sliced1x4``); the
tensor core tiles are the defaults of CUTLASS's profiler for compute capability 7.0, 8.0 and 9.0. No tile
knows any measured time.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from simulator.machines.simt import WARP_THREADS, Dtype, Generation, SimtMachine
from simulator.simt.occupancy import Occupancy, occupancy
from simulator.units import ceil_div

Pipe = Literal["fma", "dp4a", "mma", "wgmma"]

VECTOR_BYTES = 16  # of one lane's widest access; what bulk copies ask of rows
# Source: NVIDIA PTX ISA, cp.async: 4, 8 or 16 bytes, each aligned to its size.
LEAST_ASYNCHRONOUS_BYTES = 4

# Registers of a thread beside accumulators and fragments: addresses, loop counters, predicates, pointers.
_ADDRESS_REGISTERS = 28
_MAX_REGISTERS = 255
_COPY_REGISTERS = 40  # CUTLASS's producer warps


@dataclass(frozen=True)
class Tile:
    """One thread block's share of C, and how its warps share the work.

    ``slices`` groups of warps each take a part of every k-tile (cuBLAS: sliced1x4). ``k_bytes`` is the
    depth of a k-tile in bytes of an operand as it lies in shared memory.
    """

    block_m: int
    block_n: int
    k_bytes: int
    warp_m: int
    warp_n: int
    stages: int
    slices: int = 1
    producer_warps: int = 0  # warps that only copy (Hopper)
    cluster: int = 1  # neighbouring blocks that get one multicast copy of what they share (Hopper)
    swapped: bool = False  # its rows lie along n: it multiplies the transposed operands

    @property
    def math_warps(self) -> int:
        """Warps that multiply."""
        return self.block_m // self.warp_m * (self.block_n // self.warp_n) * self.slices

    @property
    def along_m(self) -> int:
        """Rows of C."""
        return self.block_n if self.swapped else self.block_m

    @property
    def along_n(self) -> int:
        """Columns of C."""
        return self.block_m if self.swapped else self.block_n

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return (self.math_warps + self.producer_warps) * WARP_THREADS

    @property
    def name(self) -> str:
        """Block sizes as cuBLAS writes them: first along the rows of its column-major C, which is our n."""
        return f"{self.along_n}x{self.along_m}" + (f"_sliced1x{self.slices}" if self.slices > 1 else "")


class Alignment(NamedTuple):
    """Bytes that divide where rows start in global memory, at most 16: of the less aligned operand, and of C.

    One number for both operands, as libraries' kernels have (CUTLASS: ``..._align2``).
    """

    operands: int = VECTOR_BYTES
    results: int = VECTOR_BYTES


ALIGNED = Alignment()


@dataclass(frozen=True)
class PlacedTile:
    """A tile on a machine: what it needs and how many of it an SM holds.

    ``alignment``: bytes, of the operands' rows on tensor cores.
    """

    tile: Tile
    pipe: Pipe
    item_bytes: int  # of an operand in shared memory
    registers: int
    shared_bytes: int
    occupancy: Occupancy
    alignment: int = VECTOR_BYTES

    @property
    def block_k(self) -> int:
        """Elements of k per k-tile."""
        return self.tile.k_bytes // self.item_bytes


# block_m, block_n, bytes of k, warp_m, warp_n, stages, slices. block_m lies along the rows of C, which is
# the second number of a cuBLAS name.
_FMA = (
    Tile(128, 128, 32, 64, 32, 2),
    Tile(64, 128, 32, 64, 32, 2),
    Tile(64, 64, 32, 64, 32, 2),
    Tile(32, 128, 64, 16, 32, 2),
    Tile(128, 32, 64, 32, 16, 2),
    Tile(32, 128, 64, 32, 64, 2, 4),
    Tile(32, 64, 64, 32, 32, 2, 4),
    Tile(32, 32, 64, 32, 32, 2, 4),
)
_VOLTA = (
    Tile(256, 128, 64, 64, 64, 2),
    Tile(128, 256, 64, 64, 64, 2),
    Tile(128, 128, 64, 64, 64, 2),
    Tile(256, 64, 64, 64, 64, 2),
    Tile(64, 256, 64, 64, 64, 2),
    Tile(128, 64, 64, 64, 32, 2),
    Tile(64, 128, 64, 32, 64, 2),
    Tile(64, 64, 64, 32, 32, 2),
)
_AMPERE = (
    Tile(256, 128, 128, 64, 64, 3),
    Tile(128, 256, 128, 64, 64, 3),
    Tile(128, 128, 64, 64, 64, 5),
    Tile(256, 64, 64, 64, 64, 4),
    Tile(64, 256, 64, 64, 64, 4),
    Tile(128, 64, 128, 64, 32, 3),
    Tile(64, 128, 128, 32, 64, 3),
    Tile(64, 64, 128, 32, 32, 5),
)
# cuBLAS's wgmma kernels: two math warp groups (three of 192 rows, one of 64), any width of wgmma.
_WIDTHS = (8, 16, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256)
_GROUPS = {64: 1, 128: 2, 192: 3, 256: 2}
_MOST_ACCUMULATORS = 192 * 192
_HOPPER_SHARED_BYTES = 220 * 1024
_HOPPER_STAGES = 12
_HOPPER = tuple(
    Tile(
        rows,
        width,
        128,
        rows // _GROUPS[rows] // 4,
        width,
        min(_HOPPER_STAGES, _HOPPER_SHARED_BYTES // ((rows + width) * 128)),
        producer_warps=4,
        cluster=2,
        swapped=swapped,
    )
    for rows in _GROUPS
    for width in _WIDTHS
    if rows * width <= _MOST_ACCUMULATORS and (rows < 192 or width >= 128)
    for swapped in (False, True)
)
_TENSOR: Mapping[Generation, tuple[Tile, ...]] = {
    "pascal": (),
    "volta": _VOLTA,
    "ampere": _AMPERE,
    "hopper": _HOPPER,
}
_UNALIGNED = ((128, 256), (128, 128), (64, 128), (64, 64))  # libraries have few kernels for such rows
_ITEM_BYTES: Mapping[Dtype, int] = {"float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}


def pipe_of(machine: SimtMachine, dtype: Dtype) -> Pipe:
    """The pipe that multiplies operands of this type; 16-bit operands without tensor cores become float32."""
    if machine.tensor_macs_per_cycle(dtype):
        return "wgmma" if machine.tensor_core.from_shared_memory else "mma"
    return "dp4a" if dtype == "int8" and machine.sm.int8_macs_per_cycle else "fma"


@functools.lru_cache(maxsize=256)
def catalogue(
    machine: SimtMachine, dtype: Dtype, alignment: Alignment = ALIGNED
) -> tuple[PlacedTile, ...]:
    """The tiles of the machine's generation that fit its SM, for rows of this alignment.

    Bulk copies, in and out, need 16-byte aligned rows: where those of Hopper have less, its library takes
    Ampere's kernels. Where no asynchronous copy is short enough, k-tiles come through registers: tiles of two
    stages, as Volta's. For rows that are not aligned there is one tile of each size.
    """
    pipe, generation = pipe_of(machine, dtype), machine.generation
    if pipe == "wgmma" and alignment != ALIGNED:
        pipe, generation = "mma", "ampere"
    if pipe == "mma" and alignment.operands < LEAST_ASYNCHRONOUS_BYTES:
        generation = "volta"
    tiles = _TENSOR[generation] if pipe in ("mma", "wgmma") else _FMA
    if pipe == "mma" and alignment != ALIGNED:
        tiles = tuple(tile for tile in tiles if (tile.block_m, tile.block_n) in _UNALIGNED)
    item_bytes = 4 if pipe == "fma" else _ITEM_BYTES[dtype]
    placed = []
    for tile in tiles:
        registers = _registers(tile, pipe)
        shared = tile.stages * (tile.block_m + tile.block_n) * tile.k_bytes
        resident = occupancy(machine, tile.threads, registers, shared)
        if resident.blocks:
            rows = alignment.operands if pipe == "mma" else VECTOR_BYTES
            placed.append(PlacedTile(tile, pipe, item_bytes, registers, shared, resident, rows))
    return tuple(placed)


def thread_tile(tile: Tile) -> tuple[int, int]:
    """Rows and columns of C that one thread of an FMA tile holds."""
    per_thread = tile.warp_m * tile.warp_n // WARP_THREADS
    rows = 4 if per_thread == 16 else 8
    return rows, per_thread // rows


def _registers(tile: Tile, pipe: Pipe) -> int:
    """Registers of a thread: accumulators, two sets of operand fragments, addresses."""
    accumulators = tile.warp_m * tile.warp_n // WARP_THREADS
    if pipe == "wgmma":  # warps that copy give registers to those that multiply
        math = min(_MAX_REGISTERS, accumulators + 2 * _ADDRESS_REGISTERS) * tile.math_warps
        return ceil_div(math + _COPY_REGISTERS * tile.producer_warps, tile.math_warps + tile.producer_warps)
    if pipe == "mma":  # one step of 32 bytes of k
        fragments = 2 * (tile.warp_m + tile.warp_n) * 32 // 4 // WARP_THREADS
    else:
        fragments = 2 * sum(thread_tile(tile))
    return min(_MAX_REGISTERS, accumulators + fragments + _ADDRESS_REGISTERS)
