"""Bytes that a GEMM moves between DRAM, L2 and the SMs, and what L2 still holds from before."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.machines.simt import SimtMachine

# A repeated GEMM's weights, as public benchmarks take turns among them so that L2 is not all theirs.
WEIGHT_COPIES = 5
SECTOR_BYTES = 32
# What a miss in L2 brings from DRAM. Source: NVIDIA CUDA runtime API, cudaLimitMaxL2FetchGranularity: 32, 64
# or 128 bytes; recalled, unverified: 64 unless set.
_FETCH_BYTES = 64
# Rows that span more lie in pages of which an SM's TLB does not hold all. Source: Jia et al., Dissecting the
# NVIDIA Volta GPU Architecture via Microbenchmarking, 2018: 32 MB on P100 and V100; recalled, unverified.
_TLB_REACH_BYTES = 32 * 2**20
# From the share of L2 that keeps what was used before to this much more of it, hits become misses: sets
# fill unevenly.
_FADES = 0.25


@dataclass(frozen=True)
class GemmShape:
    """``C[m,n] = A[m,k] @ B[k,n]`` with the bytes of an element of the operands and of the result.

    The sizes are integers, or columns of integers: many GEMMs at once.
    """

    m: Any
    k: Any
    n: Any
    in_bytes: int
    out_bytes: int

    @property
    def a_bytes(self) -> Any:
        """Bytes of A."""
        return self.m * self.k * self.in_bytes

    @property
    def b_bytes(self) -> Any:
        """Bytes of B."""
        return self.k * self.n * self.in_bytes

    @property
    def c_bytes(self) -> Any:
        """Bytes of C."""
        return self.m * self.n * self.out_bytes


@dataclass(frozen=True)
class Missing:
    """The share of each tensor that L2 does not hold when the kernel starts (of C: that leaves it)."""

    a: Any = 1.0
    b: Any = 1.0
    c: Any = 1.0


COLD = Missing()


@dataclass(frozen=True)
class AlongRows:
    """How blocks read operands whose rows lie along k in memory: ``k_bytes`` of each row per k-tile.

    ``a``, ``b``: whether the operand lies so; ``depth``: elements of k that a block goes through.
    """

    a: bool
    b: bool
    k_bytes: Any
    depth: Any


def repeated(machine: SimtMachine, shape: GemmShape, weight_copies: int) -> Missing:
    """What a benchmark finds in L2 that repeats a GEMM on one A and ``weight_copies`` of B and C in turn.

    A tensor is found again if all that is touched before its next use fits beside it.
    """
    between_b = weight_copies * (shape.b_bytes + shape.c_bytes) + shape.a_bytes
    between_a = shape.a_bytes + shape.b_bytes + shape.c_bytes
    left = machine.l2.capacity_bytes * machine.effective.l2_left_fraction
    b = _gone(between_b, left)
    return Missing(_gone(between_a, left), b, b)


def missing_share(machine: SimtMachine, touched_bytes: Any) -> Any:
    """The share of a tensor that is gone when its kernel has read ``touched_bytes`` since it last read it."""
    return _gone(touched_bytes, machine.l2.capacity_bytes * machine.effective.l2_kept_fraction)


def _gone(touched_bytes: Any, kept_bytes: Any) -> Any:
    return np.clip((touched_bytes / kept_bytes - 1) / _FADES, 0.0, 1.0)


def l2_traffic(shape: GemmShape, along_m: Any, along_n: Any, cluster: Any) -> Any:
    """Operand bytes that blocks of ``along_m`` by ``along_n`` read from L2.

    Every block reads its panels of A and B once; a cluster of neighbours reads one of the two, the better
    one, once together.
    """
    rows, cols = np.ceil(shape.m / along_m), np.ceil(shape.n / along_n)
    shared_a = np.ceil(cols / cluster) * shape.a_bytes + rows * shape.b_bytes
    shared_b = cols * shape.a_bytes + np.ceil(rows / cluster) * shape.b_bytes
    return np.minimum(shared_a, shared_b)


def page_misses(shape: GemmShape, along_m: Any, along_n: Any, rows: AlongRows) -> Any:
    """The share of a block's rows whose pages the SM's TLB has lost when the next k-tile comes to them."""
    span = (np.minimum(along_m, shape.m) * rows.a + np.minimum(along_n, shape.n) * rows.b) * shape.k
    return np.maximum(0.0, 1 - _TLB_REACH_BYTES / np.maximum(span * shape.in_bytes, 1.0))


def dram_traffic(
    machine: SimtMachine,
    shape: GemmShape,
    along_m: Any,
    along_n: Any,
    concurrent: Any,
    missing: Missing,
    rows: AlongRows | None = None,
) -> Any:
    """Operand bytes that DRAM delivers to a tiled GEMM of which ``concurrent`` blocks run side by side.

    Blocks that run together are a near-square group and read the same part of k at the same time: DRAM
    delivers what the group needs once. An operand that L2 cannot hold beside the other comes again for
    every group along the other's side.

    ``rows``: of float32 tiles. A k-tile that takes one sector of each row uses a share of what DRAM delivers
    for it; and such blocks drift apart from wave to wave, by the root of their number, so that L2 loses what
    they share before the last of them has read it.
    """
    area = concurrent * along_m * along_n
    side = np.sqrt(area)
    group_m = np.clip(np.maximum(side, area / np.maximum(shape.n, along_n)), along_m, None)
    group_n = np.clip(area / group_m, along_n, None)
    groups_m, groups_n = np.maximum(shape.m / group_m, 1.0), np.maximum(shape.n / group_n, 1.0)
    a_again = (groups_n - 1) * missing_share(machine, shape.a_bytes) * shape.a_bytes
    b_again = (groups_m - 1) * missing_share(machine, shape.b_bytes) * shape.b_bytes
    # Groups go along n and then down m, or the other way: a panel of what they share may stay in L2.
    a_kept = a_again * missing_share(machine, group_m * shape.k * shape.in_bytes)
    b_kept = b_again * missing_share(machine, group_n * shape.k * shape.in_bytes)
    along_n_first = b_again + a_kept <= a_again + b_kept
    a = missing.a * shape.a_bytes + np.where(along_n_first, a_kept, a_again)
    b = missing.b * shape.b_bytes + np.where(along_n_first, b_again, b_kept)
    if rows is None:
        return a + b
    effective, in_sectors = machine.effective, rows.k_bytes <= SECTOR_BYTES
    used = np.where(in_sectors, effective.fma_sector_fraction, 1.0)
    down, across = np.ceil(shape.m / along_m), np.ceil(shape.n / along_n)
    drift = np.minimum(1.0, effective.fma_drift * np.sqrt(down * across / concurrent))
    apart = drift * rows.depth * (group_m + group_n) * shape.in_bytes
    kept = machine.l2.capacity_bytes * effective.l2_kept_fraction
    lost = in_sectors * np.maximum(0.0, 1 - kept / np.maximum(apart, 1.0))
    alone = _FETCH_BYTES / SECTOR_BYTES
    if rows.a:
        a = a / used
        a = a + lost * np.maximum(alone * across * shape.a_bytes - a, 0.0)
    if rows.b:
        b = b / used
        b = b + lost * np.maximum(alone * down * shape.b_bytes - b, 0.0)
    return a + b


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
