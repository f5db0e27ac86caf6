"""How the rows of a GEMM's matrices are aligned in global memory."""

from __future__ import annotations

from simulator.machines.simt import Dtype, SimtMachine
from simulator.simt.main_loop import AlongK
from simulator.simt.memory import GemmShape
from simulator.simt.tiles import ALIGNED, VECTOR_BYTES, Alignment, pipe_of


def alignment_of(machine: SimtMachine, dtype: Dtype, shape: GemmShape, along_k: AlongK) -> Alignment:
    """What a kernel on tensor cores finds; others load single words, whatever the rows are.

    Matrices themselves are aligned; their rows follow each other without a gap.
    """
    if pipe_of(machine, dtype) not in ("mma", "wgmma"):
        return ALIGNED
    m, k, n, item = shape.m, shape.k, shape.n, shape.in_bytes
    a = _of_rows(k, m, item) if along_k.a else _of_rows(m, k, item)
    b = _of_rows(k, n, item) if along_k.b else _of_rows(n, k, item)
    return Alignment(min(a, b), _of_rows(n, m, shape.out_bytes))


def _of_rows(length: int, rows: int, item_bytes: int) -> int:
    """Of ``rows`` rows of ``length`` elements; a vector lies along its length, whichever side that is."""
    size = (length if length > 1 else rows) * item_bytes
    return min(size & -size, VECTOR_BYTES)
