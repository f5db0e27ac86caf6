"""Kernels: what a graph becomes on a SIMT machine, before any machine is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simulator.machines.simt import Dtype

# Bytes of an element in the device's memory. A bool is a byte there.
ITEM_BYTES: Mapping[str, int] = {
    "float32": 4,
    "int32": 4,
    "bfloat16": 2,
    "float16": 2,
    "int8": 1,
    "bool": 1,
}


@dataclass(frozen=True)
class Kernel:
    """One launch.

    ``reads`` and ``writes`` map tensors (nodes of the graph) to the bytes that cross to or from the SMs;
    ``after`` are the kernels (positions in the list) whose results it reads; ``nodes`` the operations it
    computes.
    """

    name: str
    label: str
    nodes: tuple[int, ...]
    reads: Mapping[int, int]
    writes: Mapping[int, int]
    after: tuple[int, ...] = ()


@dataclass(frozen=True)
class GemmKernel(Kernel):
    """``C[m,n] = A[m,k] @ B[k,n]``; ``a`` and ``b`` are the tensors, stored transposed as flagged."""

    m: int = 0
    k: int = 0
    n: int = 0
    transa: bool = False
    transb: bool = False
    dtype: Dtype = "bfloat16"
    a: int = -1
    b: int = -1

    @property
    def macs(self) -> int:
        """Useful multiply-accumulates."""
        return self.m * self.k * self.n


@dataclass(frozen=True)
class StreamKernel(Kernel):
    """Operations over ``elements`` elements: fused element by element, or a reduction.

    ``instructions`` and ``special`` are totals per element of the fused operations; ``results`` of a
    reduction is what it leaves.
    """

    elements: int = 0
    instructions: int = 0
    special: int = 0
    results: int = 0
    update: bool = False  # writes only tensors that the next step starts from


def layout(transa: bool, transb: bool) -> str:
    """``nn``, ``nt``, ``tn`` or ``tt``: how the operands are stored."""
    return ("t" if transa else "n") + ("t" if transb else "n")
