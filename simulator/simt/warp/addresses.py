"""What a warp's 32 addresses cost: wavefronts of shared memory, sectors and lines of global memory."""

from __future__ import annotations

from collections.abc import Sequence

BANKS = 32
WORD_BYTES = 4
WAVEFRONT_BYTES = BANKS * WORD_BYTES
SECTOR_BYTES = 32
LINE_BYTES = 128


def wavefronts(addresses: Sequence[int], width: int) -> int:
    """Wavefronts that serve an access of ``width`` bytes per lane.

    Lanes with 8 bytes each go by half warps, with 16 bytes by quarters; two neighbouring groups go together
    if each lane's neighbour at distance 1, or each at distance 2, wants the same bytes. Within what goes
    together each bank delivers one word per wavefront; lanes that read the same word share it.

    Units: ``addresses`` in bytes, one per active lane, in the order of lanes.
    Source: NVIDIA CUDA C++ Programming Guide, shared memory of compute capability 5.x and later; for wide
    accesses microbenchmarks of LDS.64 and LDS.128 (feldmann.nyc, 2023); recalled, unverified.
    """
    group = max(1, WAVEFRONT_BYTES // width)
    total = 0
    for start in range(0, len(addresses), 2 * group):
        both = addresses[start : start + 2 * group]
        if width > WORD_BYTES and _paired(both):
            total += _conflicts(both, width)
        else:
            total += _conflicts(both[:group], width) + _conflicts(both[group:], width)
    return total


def _paired(addresses: Sequence[int]) -> bool:
    """Whether each lane's neighbour at distance 1, or each at distance 2, has the same address."""
    size = len(addresses)
    return any(all(addresses[i] == addresses[(i ^ d) % size] for i in range(size)) for d in (1, 2))


def _conflicts(addresses: Sequence[int], width: int) -> int:
    """The most words that any bank has to deliver."""
    words = {
        (address + offset) // WORD_BYTES for address in addresses for offset in range(0, width, WORD_BYTES)
    }
    taken = [0] * BANKS
    for word in words:
        taken[word % BANKS] += 1
    return max(taken)


def touched(addresses: Sequence[int], width: int, unit: int) -> set[int]:
    """Aligned pieces of ``unit`` bytes that an access of ``width`` bytes per lane touches, by number."""
    pieces: set[int] = set()
    for address in addresses:
        pieces.update(range(address // unit, (address + width - 1) // unit + 1))
    return pieces


def sectors(addresses: Sequence[int], width: int) -> int:
    """32-byte sectors, what L2 delivers.

    Source: NVIDIA CUDA C++ Best Practices Guide, coalesced access to global memory.
    """
    return len(touched(addresses, width, SECTOR_BYTES))


def lines(addresses: Sequence[int], width: int) -> int:
    """128-byte lines: each is looked up on its own."""
    return len(touched(addresses, width, LINE_BYTES))
