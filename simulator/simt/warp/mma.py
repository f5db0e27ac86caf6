"""Warp programs of tiles on tensor cores that take their operands from registers (Volta, Ampere)."""

from __future__ import annotations

from math import lcm

from simulator.machines.simt import WARP_THREADS
from simulator.simt.tiles import LEAST_ASYNCHRONOUS_BYTES, VECTOR_BYTES, Alignment, Tile
from simulator.simt.warp import addresses
from simulator.simt.warp.addresses import WAVEFRONT_BYTES, WORD_BYTES
from simulator.simt.warp.copies import Copy, Layout, Operand, row_pitch, swizzled
from simulator.simt.warp.fma import ADDRESS, LOOP, SETUP, TOGGLES
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
from simulator.units import ceil_div

STEP_BYTES = 32  # of k that one step multiplies
_SIDE = 16  # rows (columns) of C that one fragment of A (B) belongs to
_OUT_VECTOR = WARP_THREADS * VECTOR_BYTES
_PREDICATE = 1  # instruction for each access of a vector that is not whole: it may lie outside the matrix
_GAP = 2  # multiplies between two other instructions


class MmaWarp:
    """The program of one warp.

    A step multiplies fragments of 16 rows and 16 columns by 32 bytes of k. Since Ampere a fragment is one
    matrix load and 16x16 of C two instructions (m16n8k16; int8: k32), and copies to shared memory are
    asynchronous. On Volta each lane holds operands twice over, for its two quads: two loads; 16x16 of C are
    four instructions (m8n8k4 of four quad pairs), and copies go through registers: so they do later, too,
    where rows are less aligned than the least asynchronous copy is long.
    """

    def __init__(
        self, tile: Tile, item_bytes: int, rates: Rates, layout: Layout, alignment: Alignment, warp: int
    ) -> None:
        volta = not rates.asynchronous_copies
        self.through_registers = volta or alignment.operands < LEAST_ASYNCHRONOUS_BYTES
        self.store_bytes = alignment.results
        self.tile, self.item_bytes, self.rates, self.volta = tile, item_bytes, rates, volta
        self.steps = tile.k_bytes // STEP_BYTES // tile.slices
        self.operands = (
            Operand(tile.block_m, tile.k_bytes, item_bytes, layout.rows_along_k, alignment.operands),
            Operand(tile.block_n, tile.k_bytes, item_bytes, layout.cols_along_k, alignment.operands),
        )
        least = 8 if volta else VECTOR_BYTES
        self.copies = [c for operand in self.operands for c in operand.copies(tile.math_warps, warp, least)]
        self.fragments = -(-tile.warp_m // _SIDE), -(-tile.warp_n // _SIDE)
        self.per_fragment = 2 if volta else 1  # loads
        self.per_square = 4 if volta else 2  # multiplies of 16x16 of C
        squares = self.fragments[0] * self.fragments[1]
        self.macs = tile.warp_m * tile.warp_n * STEP_BYTES // item_bytes // squares // self.per_square
        self.interval = rates.tensor_interval(self.macs)
        self.accumulators = squares * (1 if volta else 2)
        self.loaded = sum(self.fragments) * self.per_fragment
        self.first_group = self.accumulators + 2 * self.loaded  # copies on their way, by stage (Volta: each)
        self.pointer = self.first_group + max(tile.stages, len(self.copies))

    def program(self) -> WarpProgram:
        """Fragments are loaded a step ahead, copies all stages but one."""
        ahead = self.tile.stages - 1
        count = lcm(self.tile.stages, 1 if self.steps % 2 == 0 else 2)
        setup = [self._integer() for _ in range(SETUP)]
        first = [copy for tile in range(ahead) for copy in self._copies(tile)]
        return WarpProgram(
            prologue=waiting([*setup, *first, *self._arrived(0), *self._fragments(0, 0)]),
            bodies=tuple(waiting(self._body(tile, True)) for tile in range(count)),
            tails=tuple(waiting(self._body(tile, False)) for tile in range(count)),
            epilogue=waiting(self._epilogue()),
            ahead=ahead,
        )

    def _body(self, tile: int, more: bool) -> list[Instruction]:
        """Tails load no further k-tile; the last loads fragments of a k-tile that is not there."""
        body: list[Instruction] = []
        copies = self._copies(tile + self.tile.stages - 1)
        if not more:
            copies = [copy.switched_off() for copy in copies]
        for step in range(self.steps):
            parity = (tile * self.steps + step) % 2
            following = (step + 1) % self.steps
            others = self._fragments(parity ^ 1, following)
            if step == self.steps - 1:
                arrived = self._arrived(tile + 1)
                if self.through_registers and not more:
                    arrived = [other.switched_off() for other in arrived]
                others = [*arrived, *others, *(self._integer() for _ in range(LOOP + TOGGLES))]
            part = copies[len(copies) * step // self.steps : len(copies) * (step + 1) // self.steps]
            others += part
            body += interleaved(self._multiplies(parity), others, _GAP)
        return body

    def _integer(self, dst: int = -1, needs: tuple[int, ...] = ()) -> Instruction:
        return Instruction(Op.ALU, self.rates.integer_interval, self.rates.integer_latency, dst, needs)

    def _multiplies(self, parity: int) -> list[Instruction]:
        first = self.accumulators + parity * self.loaded
        squares = [(row, col) for row in range(self.fragments[0]) for col in range(self.fragments[1])]
        found = []
        # Volta adds four times to the same sums, in turns so that they are there; Ampere to two halves.
        for part, (row, col) in (
            ((part, at) for part in range(4) for at in squares)
            if self.volta
            else ((part, at) for at in squares for part in range(2))
        ):
            square = row * self.fragments[1] + col
            sums = square if self.volta else 2 * square + part
            half = part // 2 if self.volta else 0  # of the step's k
            a = first + row * self.per_fragment + half
            b = first + (self.fragments[0] + col) * self.per_fragment + half
            found.append(
                Instruction(
                    Op.MMA,
                    self.interval,
                    self.rates.tensor_latency,
                    dst=sums,
                    needs=(a, b, sums),
                    macs=self.macs,
                )
            )
        return found

    def _fragments(self, parity: int, step: int) -> list[Instruction]:
        """A step's fragments; the matrices' rows are found where the copies have put them."""
        found: list[Instruction] = []
        dst = self.accumulators + parity * self.loaded
        for operand, count in zip(self.operands, self.fragments, strict=True):
            for number in range(count):
                passes = addresses.wavefronts(self._chunks(operand, number, step), VECTOR_BYTES)
                for _ in range(self.per_fragment):
                    found.append(Instruction(Op.LDS, 1, self.rates.shared_latency, dst, wavefronts=passes))
                    dst += 1
        return found

    def _chunks(self, operand: Operand, number: int, step: int) -> list[int]:
        """Where the 32 chunks of 16 bytes of a fragment lie: 16 rows by 32 bytes of k, or the other way."""
        step_items = STEP_BYTES // operand.item_bytes
        if operand.along_k:
            places = [
                (number * _SIDE + lane % 16, step * STEP_BYTES + lane // 16 * VECTOR_BYTES)
                for lane in range(WARP_THREADS)
            ]
        else:
            chunks = _SIDE * operand.item_bytes // VECTOR_BYTES
            places = [
                (step * step_items + lane % step_items, (number * chunks + lane // step_items) * VECTOR_BYTES)
                for lane in range(chunks * step_items)
            ]
        return [swizzled(major, byte, operand.chunk_pitch) for major, byte in places]

    def _copies(self, tile: int) -> list[Instruction]:
        found = []
        for number, copy in enumerate(self.copies):
            found += [self._integer(self.pointer) for _ in range(ADDRESS)]
            group = number if self.through_registers else tile % self.tile.stages
            for position, access in enumerate(copy.accesses):
                if position:
                    found += [self._integer(self.pointer) for _ in range(_PREDICATE)]
                data = access.returned if self.through_registers else access.stored
                found.append(
                    Instruction(
                        Op.LDG if self.through_registers else Op.COPY,
                        dst=self.first_group + group,
                        needs=(self.pointer,),
                        wavefronts=self.rates.copy_wavefronts(data, access.lines),
                        sectors=access.sectors,
                    )
                )
        return found

    def _arrived(self, tile: int) -> list[Instruction]:
        """A k-tile is in shared memory for all warps."""
        if self.through_registers:
            found = []
            for number, copy in enumerate(self.copies):
                data = self.first_group + number
                found += [self._integer(data, (data,)) for _ in range(_permutations(copy))]
                found.append(Instruction(Op.STS, needs=(data,), wavefronts=copy.chunk_store))
        else:
            found = [self._integer(needs=(self.first_group + tile % self.tile.stages,))]
        return [*found, Instruction(Op.SYNC, arrives=0)]

    def _epilogue(self) -> list[Instruction]:
        """Sums through shared memory, those of slices added, converted and stored in whole lines."""
        tile = self.tile
        sums = tile.warp_m * tile.warp_n
        words = sums * 4 // _OUT_VECTOR  # vectors of float32 (int32) sums
        out = 4 if self.item_bytes == 1 else self.item_bytes
        needs = tuple(range(self.accumulators))
        found = [Instruction(Op.STS, needs=needs, wavefronts=4) for _ in range(words)]
        found.append(Instruction(Op.SYNC, arrives=0))
        for vector in range(words):
            dst = self.accumulators + vector % (2 * self.loaded)
            found.append(Instruction(Op.LDS, 1, self.rates.shared_latency, dst, wavefronts=4))
            if vector >= words // tile.slices:  # of another slice: four sums more
                found += [self._integer(dst, (dst,)) for _ in range(4)]
        found += [self._integer() for _ in range(2 * words // tile.slices)]  # pairs of sums
        stored = WARP_THREADS * self.store_bytes
        passes = ceil_div(stored, WAVEFRONT_BYTES)
        for position in range(sums * out // stored // tile.slices):
            if self.store_bytes < VECTOR_BYTES:
                found += [self._integer() for _ in range(_PREDICATE)]
            value = self.accumulators + position * stored // _OUT_VECTOR % (2 * self.loaded)
            sectors = self._stored_sectors(position * stored, tile.warp_n * out)
            found.append(Instruction(Op.STG, passes, needs=(value,), wavefronts=passes, sectors=sectors))
        return found

    def _stored_sectors(self, first: int, row_bytes: int) -> int:
        """Of one store from byte ``first`` on of the warp's rows of C: what is written leaves L1 at once."""
        size, pitch = self.store_bytes, row_pitch(self.store_bytes)
        places = (divmod(first + lane * size, row_bytes) for lane in range(WARP_THREADS))
        return addresses.sectors([row * pitch + byte for row, byte in places], size)


def _permutations(copy: Copy) -> int:
    """Of single bytes and halves into words: one less than there are in a word."""
    parts = ceil_div(WORD_BYTES, copy.operand.alignment)
    return copy.width // WORD_BYTES * (parts - 1)


def mma_program(
    tile: Tile, item_bytes: int, rates: Rates, layout: Layout, alignment: Alignment
) -> BlockProgram:
    """The block's program on tensor cores that read registers."""
    warps = tuple(
        MmaWarp(tile, item_bytes, rates, layout, alignment, warp).program()
        for warp in range(tile.math_warps)
    )
    return BlockProgram(warps, (Barrier(tile.math_warps),))
