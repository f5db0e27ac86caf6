"""How a block's warps share the copying of one operand's k-tile, and the addresses of each lane."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from simulator.machines.simt import WARP_THREADS
from simulator.simt.tiles import VECTOR_BYTES
from simulator.simt.warp import addresses
from simulator.simt.warp.addresses import LINE_BYTES, SECTOR_BYTES, WAVEFRONT_BYTES
from simulator.units import ceil_div

_PITCH = 1 << 20  # from row to row of a matrix in global memory: aligned, and never in the same line
_PAD_WORDS = 4  # between rows of words in shared memory: bank conflicts, and 16-byte accesses stay aligned


class Layout(NamedTuple):
    """Which operands lie in memory with neighbours along k next to each other."""

    rows_along_k: bool
    cols_along_k: bool


class Place(NamedTuple):
    """Where a lane's vector starts in a k-tile."""

    row: int  # along m or n
    depth: int  # along k: bytes where neighbours along k lie next to each other, else items


class Access(NamedTuple):
    """One warp instruction that reads global memory.

    ``sectors`` are those that come from L2: what an earlier access of the same copy has brought is in L1.
    ``lines`` are looked up. ``returned`` wavefronts bring the data to registers, ``stored`` ones to where
    they belong in shared memory.
    """

    sectors: int
    lines: int
    returned: int
    stored: int


@dataclass(frozen=True)
class Copy:
    """A warp's part of a copy: ``width`` bytes from each place, a place per lane that has work."""

    operand: Operand
    width: int
    places: tuple[Place, ...]

    @cached_property
    def accesses(self) -> tuple[Access, ...]:
        """One, or as many as the rows' alignment makes of ``width`` bytes: each lane its own, one by one.

        Source: CUTLASS, PredicatedTileAccessIterator: kAccessesPerVector.
        """
        width = min(self.width, self.operand.alignment)
        found: list[Access] = []
        brought: set[int] = set()
        for offset in range(0, self.width, width):
            starts = [start + offset for start in self._global]
            sectors = addresses.touched(starts, width, SECTOR_BYTES)
            returned = ceil_div(len(starts) * width, WAVEFRONT_BYTES)
            stored = addresses.wavefronts([start + offset for start in self._chunks], width)
            found.append(Access(len(sectors - brought), addresses.lines(starts, width), returned, stored))
            brought |= sectors
        return tuple(found)

    @cached_property
    def _global(self) -> list[int]:
        operand = self.operand
        if operand.along_k:
            return [place.row * operand.pitch + place.depth for place in self.places]
        return [place.depth * operand.pitch + place.row * operand.item_bytes for place in self.places]

    @cached_property
    def _chunks(self) -> list[int]:
        """Where the order of global memory is kept, 16-byte chunks swizzled."""
        operand = self.operand
        if operand.along_k:
            where = [(p.row, p.depth) for p in self.places]
        else:
            where = [(p.depth, p.row * operand.item_bytes) for p in self.places]
        return [swizzled(major, byte, operand.chunk_pitch) for major, byte in where]

    @property
    def word_stores(self) -> list[int]:
        """Wavefronts of each store into rows of words that lie side by side along m or n, k by k.

        What comes along k is transposed word by word; the rest goes as it came.
        """
        operand, pitch = self.operand, 4 * (self.operand.extent + _PAD_WORDS)
        if operand.along_k:
            return [
                addresses.wavefronts([(p.depth // 4 + word) * pitch + p.row * 4 for p in self.places], 4)
                for word in range(self.width // 4)
            ]
        # The vectors of as many k as make a word are gathered first, then each stores its part of the rows.
        part, word = self.width // 4, 4 // operand.item_bytes
        starts = [
            p.depth // word * pitch + (p.row + p.depth % word * part) * 4 for p in self.places
        ]
        return [addresses.wavefronts(starts, self.width)]

    @property
    def chunk_store(self) -> int:
        """Wavefronts of the store that keeps the order of global memory, from registers."""
        return addresses.wavefronts(self._chunks, self.width)


@dataclass(frozen=True)
class Operand:
    """One operand's share of a k-tile: ``extent`` rows of ``depths`` bytes.

    ``alignment``: bytes that divide where a row of the matrix in global memory starts; at most one access.
    """

    extent: int
    depths: int
    item_bytes: int
    along_k: bool
    alignment: int = VECTOR_BYTES

    @property
    def chunk_pitch(self) -> int:
        """Bytes from row to row (from k to k) where shared memory keeps the order of global memory."""
        return self.depths if self.along_k else self.extent * self.item_bytes

    @property
    def pitch(self) -> int:
        """Bytes from row to row of the matrix."""
        return row_pitch(self.alignment)

    def copies(self, warps: int, warp: int, least_width: int) -> list[Copy]:
        """The copies of one of ``warps`` warps, in the widest accesses that give each thread work."""
        size = self.extent * self.depths
        width = VECTOR_BYTES
        while width > least_width and size < width * WARP_THREADS * warps:
            width //= 2
        found = []
        for first in range(warp * WARP_THREADS, size // width, warps * WARP_THREADS):
            vectors = range(first, min(first + WARP_THREADS, size // width))
            found.append(Copy(self, width, tuple(self._place(vector * width) for vector in vectors)))
        return found

    def _place(self, offset: int) -> Place:
        if self.along_k:
            return Place(*divmod(offset, self.depths))
        k, byte = divmod(offset, self.extent * self.item_bytes)
        return Place(byte // self.item_bytes, k)


def row_pitch(alignment: int) -> int:
    """Bytes from row to row of a matrix: rows aligned to less than 16 bytes start at every multiple of it in
    turn.
    """
    return _PITCH + alignment % VECTOR_BYTES


def swizzled(major: int, byte: int, pitch: int) -> int:
    """The address of a byte whose 16-byte chunk moves with its row, so that a column has no bank conflict.

    Rows shorter than a line of 128 bytes share one.
    """
    width = min(pitch, LINE_BYTES)
    per_line, chunks = LINE_BYTES // width, width // VECTOR_BYTES
    line, within = divmod(major, per_line)
    far, near = divmod(byte, width)
    chunk = near // VECTOR_BYTES ^ line % chunks
    start = line * per_line * pitch + far * LINE_BYTES
    return start + within * width + chunk * VECTOR_BYTES + near % VECTOR_BYTES
