"""Warp programs of tiles on the float32 lanes: outer products of fragments in registers."""

from __future__ import annotations

from simulator.machines.simt import WARP_THREADS
from simulator.simt.tiles import VECTOR_BYTES, Tile, thread_tile
from simulator.simt.warp import addresses
from simulator.simt.warp.copies import Layout, Operand
from simulator.simt.warp.instructions import (
    Barrier,
    BlockProgram,
    Instruction,
    Op,
    WarpProgram,
    interleaved,
    waiting,
)
from simulator.simt.warp.rates import Rates

SETUP = 20  # instructions from a block's number to its pointers
LOOP = 3  # counter, comparison, branch
TOGGLES = 2  # pointers to shared memory, one for stores, one for loads
ADDRESS = 2  # 64-bit sum of a pointer: two instructions
BYTE_TRANSPOSE = 2  # permutations per word where bytes along k have to be gathered
_GAP = 4  # multiplies between two other instructions
_PITCH = 1 << 20  # from row to row of C


class FmaWarp:
    """The program of one warp; registers are numbered from 0: accumulators, fragments, copied vectors."""

    def __init__(self, tile: Tile, item_bytes: int, rates: Rates, layout: Layout, warp: int) -> None:
        self.rates = rates
        self.rows, self.cols = thread_tile(tile)
        self.lane_rows, self.lane_cols = tile.warp_m // self.rows, tile.warp_n // self.cols
        assert self.lane_rows * self.lane_cols == WARP_THREADS, tile.name
        self.steps = tile.k_bytes // 4 // tile.slices
        self.slices = tile.slices
        self.per_lane = 4 // item_bytes  # products of a lane: 1, or 4 of a dot product
        operands = (
            Operand(tile.block_m, tile.k_bytes, item_bytes, layout.rows_along_k),
            Operand(tile.block_n, tile.k_bytes, item_bytes, layout.cols_along_k),
        )
        self.copies = [copy for operand in operands for copy in operand.copies(tile.math_warps, warp, 4)]
        self.accumulators = self.rows * self.cols
        self.vectors = self.rows // 4, self.cols // 4
        self.first_copy = self.accumulators + 2 * sum(self.vectors)
        self.pointer = self.first_copy + len(self.copies)

    def program(self) -> WarpProgram:
        """Fragments are loaded a step ahead, copies a k-tile ahead."""
        parities = 1 if self.steps % 2 == 0 else 2
        setup = [self._integer() for _ in range(SETUP)]
        return WarpProgram(
            prologue=waiting([*setup, *self._loads(), *self._stores(), self._sync(), *self._fragments(0)]),
            bodies=tuple(waiting(self._body(parity, True)) for parity in range(parities)),
            tails=tuple(waiting(self._body(parity, False)) for parity in range(parities)),
            epilogue=waiting(self._epilogue()),
            ahead=1,
        )

    def _body(self, parity: int, more: bool) -> list[Instruction]:
        body: list[Instruction] = []
        for step in range(self.steps):
            parity ^= 1
            fragments, last = self._fragments(parity), step == self.steps - 1
            others = fragments if more or not last else [load.switched_off() for load in fragments]
            if step == 0:
                loads = self._loads()
                others = [*others, *(loads if more else [load.switched_off() for load in loads])]
            if last:  # the next k-tile's words are in shared memory before its first fragments are loaded
                stores = self._stores()
                body += stores if more else [store.switched_off() for store in stores]
                body.append(self._sync())
                others = [*others, *(self._integer() for _ in range(LOOP + TOGGLES))]
            body += interleaved(self._multiplies(parity ^ 1), others, _GAP)
        return body

    def _integer(self, dst: int = -1, needs: tuple[int, ...] = ()) -> Instruction:
        return Instruction(Op.ALU, self.rates.integer_interval, self.rates.integer_latency, dst, needs)

    def _sync(self) -> Instruction:
        return Instruction(Op.SYNC, arrives=0)

    def _multiplies(self, parity: int) -> list[Instruction]:
        first = self.accumulators + parity * sum(self.vectors)
        return [
            Instruction(
                Op.FMA,
                self.rates.fma_interval,
                self.rates.fma_latency,
                dst=row * self.cols + col,
                needs=(first + row // 4, first + self.vectors[0] + col // 4, row * self.cols + col),
                macs=WARP_THREADS * self.per_lane,
            )
            for row in range(self.rows)
            for col in range(self.cols)
        ]

    def _fragments(self, parity: int) -> list[Instruction]:
        """A step's words of both operands, 16 bytes per load; lanes in a row (column) read the same."""
        found = []
        lanes = range(WARP_THREADS)
        # Pairs of lanes lie one below the other, so that loads of rows and of columns both find neighbours
        # with the same address. Source: CUTLASS, default_mma_core_simt.h: RowMajorInterleaved<2>.
        lane_rows = [lane // (2 * self.lane_cols) * 2 + lane % 2 for lane in lanes]
        lane_cols = [lane // 2 % self.lane_cols for lane in lanes]
        for places, vectors in (
            (lane_rows, range(self.vectors[0])),
            (lane_cols, range(self.vectors[0], sum(self.vectors))),
        ):
            passes = addresses.wavefronts([place * VECTOR_BYTES for place in places], VECTOR_BYTES)
            for vector in vectors:
                dst = self.accumulators + parity * sum(self.vectors) + vector
                found.append(Instruction(Op.LDS, 1, self.rates.shared_latency, dst, wavefronts=passes))
        return found

    def _loads(self) -> list[Instruction]:
        found = []
        for number, copy in enumerate(self.copies):
            found += [self._integer(self.pointer) for _ in range(ADDRESS)]
            (access,) = copy.accesses
            found.append(
                Instruction(
                    Op.LDG,
                    dst=self.first_copy + number,
                    needs=(self.pointer,),
                    wavefronts=self.rates.copy_wavefronts(access.returned, access.lines),
                    sectors=access.sectors,
                )
            )
        return found

    def _stores(self) -> list[Instruction]:
        found = []
        for number, copy in enumerate(self.copies):
            needs = (self.first_copy + number,)
            if not copy.operand.along_k and copy.operand.item_bytes == 1:
                words = copy.width // 4 * BYTE_TRANSPOSE
                found += [self._integer(self.first_copy + number, needs) for _ in range(words)]
            found += [Instruction(Op.STS, needs=needs, wavefronts=passes) for passes in copy.word_stores]
        return found

    def _epilogue(self) -> list[Instruction]:
        """Sums over slices through shared memory, then every sum scaled and stored."""
        found: list[Instruction] = []
        kept = self.accumulators // self.slices
        if self.slices > 1:
            whole = 4  # wavefronts of 16 bytes per lane, side by side
            for first in range(0, self.accumulators, 4):
                found.append(Instruction(Op.STS, needs=tuple(range(first, first + 4)), wavefronts=whole))
            found.append(self._sync())
            for _ in range(self.slices - 1):
                for vector in range(kept // 4):
                    loaded = self.first_copy + vector % max(1, len(self.copies))
                    found.append(Instruction(Op.LDS, 1, self.rates.shared_latency, loaded, wavefronts=whole))
                    found += [self._scaled(4 * vector + i, loaded) for i in range(4)]
        found += [self._scaled(register, register) for register in range(kept)]
        for first in range(0, kept, 4):
            row, col = divmod(first, self.cols)
            starts = [
                (lane // self.lane_cols * self.rows + row) * _PITCH
                + (col // 4 * self.lane_cols + lane % self.lane_cols) * VECTOR_BYTES
                for lane in range(WARP_THREADS)
            ]
            found.append(
                Instruction(
                    Op.STG,
                    addresses.lines(starts, VECTOR_BYTES),
                    needs=tuple(range(first, first + 4)),
                    wavefronts=4,
                    sectors=addresses.sectors(starts, VECTOR_BYTES),
                )
            )
        return found

    def _scaled(self, register: int, other: int) -> Instruction:
        rates = self.rates
        return Instruction(Op.FMA, rates.fma_interval, rates.fma_latency, register, (register, other))


def fma_program(tile: Tile, item_bytes: int, rates: Rates, layout: Layout) -> BlockProgram:
    """The block's program on float32 or dot-product lanes."""
    warps = tile.math_warps
    programs = tuple(FmaWarp(tile, item_bytes, rates, layout, warp).program() for warp in range(warps))
    return BlockProgram(programs, (Barrier(warps),))
