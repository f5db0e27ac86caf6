"""Memory of a step: large pages, and places in one block which values take in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64  # of a vector, and of a cache line
_LARGE_PAGE = 1 << 21
# NumPy asks for large pages from this size on. Without them a step's memory is more pages than the processor
# remembers.
_LARGE_FROM = 1 << 22


def allocate(size: int) -> npt.NDArray[np.uint8]:
    """Aligned memory of ``size`` bytes, in large pages where it is worth one."""
    large = 2 * size >= _LARGE_PAGE
    alignment = _LARGE_PAGE if large else ALIGNMENT
    block = np.empty(max(size + alignment, _LARGE_FROM if large else 0), np.uint8)
    start = -block.ctypes.data % alignment
    return block[start : start + size]


@dataclass(frozen=True)
class Placement:
    """Where each value starts, and the bytes of all."""

    offsets: Mapping[int, int]
    bytes: int


def place(
    sizes: Mapping[int, int], written: Sequence[Sequence[int]], read: Sequence[Sequence[int]]
) -> Placement:
    """Gives values of ``sizes`` bytes memory from the stage that writes them to the last that reads them.

    ``written`` and ``read`` are by stage. Values that a stage reads and writes never overlap.
    """
    last = {value: stage for stage, values in enumerate(written) for value in values}
    last |= {value: stage for stage, values in enumerate(read) for value in values if value in last}
    ending: list[list[int]] = [[] for _ in written]
    for value, stage in last.items():
        if value in sizes:
            ending[stage].append(value)
    free: list[tuple[int, int]] = []  # (start, end), ascending and apart; after `top` all is free
    offsets: dict[int, int] = {}
    top = highest = 0
    for stage, values in enumerate(written):
        for value in values:
            if value not in sizes:
                continue
            size = _rounded(sizes[value])
            fitting = [hole for hole in free if hole[1] - hole[0] >= size]
            if fitting:
                start, end = min(fitting, key=lambda hole: hole[1] - hole[0])
                free.remove((start, end))
                if end - start > size:
                    free.append((start + size, end))
            else:
                start, top = top, top + size
            offsets[value] = start
        highest = max(highest, top)
        free += [(offsets[value], offsets[value] + _rounded(sizes[value])) for value in ending[stage]]
        free, top = _joined(free, top)
    return Placement(offsets, highest)


def _rounded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _joined(free: list[tuple[int, int]], top: int) -> tuple[list[tuple[int, int]], int]:
    """Neighbouring holes as one; the last one goes back above the top."""
    holes: list[tuple[int, int]] = []
    for start, end in sorted(free):
        if holes and holes[-1][1] == start:
            holes[-1] = (holes[-1][0], end)
        else:
            holes.append((start, end))
    if holes and holes[-1][1] == top:
        top = holes.pop()[0]
    return holes, top
