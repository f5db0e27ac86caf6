"""Wavefronts, sectors and lines of a warp's addresses: cases that the CUDA guides work out."""

from __future__ import annotations

import pytest

from simulator.simt.warp.addresses import lines, sectors, wavefronts
from simulator.simt.warp.copies import Operand, swizzled

LANES = range(32)


@pytest.mark.parametrize(
    ("addresses", "width", "expected"),
    [
        ([4 * lane for lane in LANES], 4, 1),  # consecutive words
        ([4 * (31 - lane) for lane in LANES], 4, 1),  # in any order
        ([0 for _ in LANES], 4, 1),  # one word for all
        ([8 * lane for lane in LANES], 4, 2),  # stride 2: banks twice
        ([12 * lane for lane in LANES], 4, 1),  # stride 3: odd
        ([128 * lane for lane in LANES], 4, 32),  # a column of 32 words
        ([132 * lane for lane in LANES], 4, 1),  # a padded column
        ([128 * (lane // 2) for lane in LANES], 4, 16),  # pairs share a word
        ([8 * lane for lane in LANES], 8, 2),  # half warps
        ([16 * lane for lane in LANES], 16, 4),  # quarters
        ([16 * (lane // 4) for lane in LANES], 16, 2),  # neighbours share: quarters go together
        ([16 * (lane // 2 % 4) for lane in LANES], 16, 2),
        ([16 * (lane % 8) for lane in LANES], 16, 4),  # no neighbour shares
        ([512 * (lane % 8) for lane in LANES], 16, 32),  # each quarter's lanes in the same banks
        ([4 * lane for lane in range(7)], 4, 1),  # a part of a warp
        ([], 4, 0),
    ],
)
def test_wavefronts(addresses: list[int], width: int, expected: int) -> None:
    assert wavefronts(addresses, width) == expected


@pytest.mark.parametrize(
    ("addresses", "width", "expected_sectors", "expected_lines"),
    [
        ([4 * lane for lane in LANES], 4, 4, 1),  # a whole line
        ([4 * lane + 4 for lane in LANES], 4, 5, 2),  # one word off
        ([8 * lane for lane in LANES], 4, 8, 2),  # stride 2: half of every sector is wasted
        ([4096 * lane for lane in LANES], 4, 32, 32),
        ([16 * lane for lane in LANES], 16, 16, 4),
        ([4096 * (lane // 2) + 16 * (lane % 2) for lane in LANES], 16, 16, 16),  # a sector of each row
        ([0 for _ in LANES], 4, 1, 1),
    ],
)
def test_coalescing(addresses: list[int], width: int, expected_sectors: int, expected_lines: int) -> None:
    assert sectors(addresses, width) == expected_sectors
    assert lines(addresses, width) == expected_lines


@pytest.mark.parametrize("pitch", [32, 64, 128, 256, 512])
def test_swizzled_columns_have_no_conflicts(pitch: int) -> None:
    """Eight rows' chunks at the same place along the row: what a matrix load asks for."""
    for byte in range(0, pitch, 16):
        for first in range(0, 32, 8):
            column = [swizzled(first + row, byte, pitch) for row in range(8)]
            assert wavefronts(column, 16) == 1
    places = [swizzled(row, byte, pitch) for row in range(32) for byte in range(pitch)]
    assert sorted(places) == list(range(32 * pitch))  # a permutation


@pytest.mark.parametrize("along_k", [True, False])
@pytest.mark.parametrize("shape", [(128, 32, 4), (32, 64, 4), (64, 32, 1), (256, 64, 2)])
@pytest.mark.parametrize("warps", [1, 4, 8])
def test_copies_cover_the_k_tile_once(shape: tuple[int, int, int], warps: int, along_k: bool) -> None:
    extent, k_bytes, item = shape
    operand = Operand(extent, k_bytes, item, along_k)
    copies = [copy for warp in range(warps) for copy in operand.copies(warps, warp, 4)]
    step = (0, 1) if along_k else (1, 0)  # from item to item along memory
    covered = [
        (place.row + step[0] * i, place.depth + step[1] * i)
        for copy in copies
        for place in copy.places
        for i in range(copy.width if along_k else copy.width // item)
    ]
    ks = range(k_bytes) if along_k else range(k_bytes // item)
    assert sorted(covered) == [(row, k) for row in range(extent) for k in ks]
    accesses = [access for copy in copies for access in copy.accesses]
    assert len(accesses) == len(copies)
    assert 32 * sum(access.sectors for access in accesses) == extent * k_bytes


@pytest.mark.parametrize("alignment", [8, 4, 2, 1])
@pytest.mark.parametrize("along_k", [True, False])
def test_narrow_accesses_bring_each_sector_once(along_k: bool, alignment: int) -> None:
    """128 rows of 64 bytes, or 32 of 256: row r starts r times the alignment after a sector."""
    operand = Operand(128, 64, 2, along_k, alignment)
    rows, row_bytes = (128, 64) if along_k else (32, 256)
    copies = [copy for warp in range(4) for copy in operand.copies(4, warp, 16)]
    accesses = [access for copy in copies for access in copy.accesses]
    assert len(accesses) == len(copies) * 16 // alignment
    sectors = sum(-(-(row * alignment % 32 + row_bytes) // 32) for row in range(rows))
    assert sum(access.sectors for access in accesses) == sectors
    # A wavefront brings 128 bytes at most, takes them at most, and looks up one line.
    assert sum(access.returned for access in accesses) >= 128 * 64 // 128
    assert sum(access.stored for access in accesses) >= 128 * 64 // 128
    assert all(1 <= access.lines <= 2 * 32 for access in accesses)
