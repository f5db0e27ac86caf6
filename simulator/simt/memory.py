"""Bytes that a GEMM moves between DRAM, L2 and the SMs, and which tensors L2 still holds."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from simulator.simt.tiles import Tile
from simulator.units import ceil_div


@dataclass(frozen=True)
class GemmShape:
    """``C[m,n] = A[m,k] @ B[k,n]`` with the bytes of an element of the operands and of the result."""

    m: int
    k: int
    n: int
    in_bytes: int
    out_bytes: int

    @property
    def a_bytes(self) -> int:
        """Bytes of A."""
        return self.m * self.k * self.in_bytes

    @property
    def b_bytes(self) -> int:
        """Bytes of B."""
        return self.k * self.n * self.in_bytes

    @property
    def c_bytes(self) -> int:
        """Bytes of C."""
        return self.m * self.n * self.out_bytes


@dataclass(frozen=True)
class OperandTraffic:
    """Bytes of operands that leave L2 for the SMs, and that DRAM has to bring into L2."""

    l2_bytes: int
    dram_bytes: int


def operand_traffic(
    shape: GemmShape,
    tile: Tile,
    concurrent: int,
    l2_bytes: int,
    a_in_l2: bool = False,
    b_in_l2: bool = False,
) -> OperandTraffic:
    """Operand bytes of a tiled GEMM of which ``concurrent`` blocks run side by side.

    Every block (or cluster of blocks) reads its panels of A and B through L2 once. Blocks that run together
    are a near-square group and read the same part of k at the same time, so DRAM delivers what the group
    needs once. From group to group along a row (or column) of groups the shared panel, and across rows the
    other operand, are read again unless L2 holds them. The better order counts.
    """
    tiles_m, tiles_n = ceil_div(shape.m, tile.block_m), ceil_div(shape.n, tile.block_n)
    l2 = ceil_div(tiles_n, tile.cluster_n) * shape.a_bytes + ceil_div(tiles_m, tile.cluster_m) * shape.b_bytes
    group_m, group_n = _group(tiles_m, tiles_n, tile.block_m, tile.block_n, concurrent)
    groups_m, groups_n = ceil_div(tiles_m, group_m), ceil_div(tiles_n, group_n)
    a_panel, b_panel = shape.a_bytes // groups_m, shape.b_bytes // groups_n
    orders = []
    for panel, panels, other, others, is_row in (
        (a_panel, groups_m, shape.b_bytes, groups_n, True),
        (b_panel, groups_n, shape.a_bytes, groups_m, False),
    ):
        panel_reads = 1 if others == 1 or panel <= l2_bytes // 2 else others
        other_reads = 1 if panels == 1 or other + panel <= l2_bytes else panels
        first, second = panel_reads * panels * panel, other_reads * other
        a_reads, b_reads = (first, second) if is_row else (second, first)
        a_dram = max(a_reads, shape.a_bytes) - (shape.a_bytes if a_in_l2 else 0)
        b_dram = max(b_reads, shape.b_bytes) - (shape.b_bytes if b_in_l2 else 0)
        orders.append(a_dram + b_dram)
    return OperandTraffic(l2, min(orders))


def _group(tiles_m: int, tiles_n: int, block_m: int, block_n: int, concurrent: int) -> tuple[int, int]:
    """Rows and columns of the group of blocks that runs together: as square as it gets in elements."""
    square = (concurrent * block_n / block_m) ** 0.5
    rows = max(1, min(tiles_m, round(square)))
    cols = max(1, min(tiles_n, concurrent // rows))
    rows = max(1, min(tiles_m, concurrent // cols))
    return rows, cols


class L2Residency:
    """Which tensors L2 holds: whole ones, the least recently used goes first, larger ones than L2 never."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self._held: OrderedDict[int, int] = OrderedDict()

    def holds(self, tensor: int) -> bool:
        """Whether reads of the tensor hit."""
        return tensor in self._held

    def touch(self, tensor: int, n_bytes: int) -> None:
        """The tensor was read or written."""
        self._held.pop(tensor, None)
        if n_bytes > self.capacity_bytes:
            return
        self._held[tensor] = n_bytes
        while sum(self._held.values()) > self.capacity_bytes:
            self._held.popitem(last=False)
