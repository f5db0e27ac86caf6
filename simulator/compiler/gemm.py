"""Matrix multiplications as accumulator tiles, for the three dataflows.

The order of accumulation is part of the machine (``docs/arithmetic.md``): within an accumulator tile, k
ascends.
"""

from __future__ import annotations

from simulator.compiler.symbolic import Lowering, Place
from simulator.compiler.tensors import Tensor, pieces
from simulator.compiler.vector import Mapped, Tile, elementwise


def weight_stationary(low: Lowering, a: Tensor, b: Tensor, epilogue: Mapped, flags: int) -> None:
    """``C[m,n] = A[m,k] B[k,n]``: a tile of B stays in the array, rows of A stream past it.

    Shapes: a (m, k), b (k, n); the epilogue reads C panel by panel, ``geometry.accumulate`` rows at a time.
    """
    for panel in range(b.panels):
        for m0, m1 in pieces(0, a.rows, low.geometry.accumulate):
            tile = low.new_tile()
            low.stationary(
                Place(a.number, 0, m0),
                Place(b.number, panel, 0),
                m1 - m0,
                a.cols,
                b.tail(panel),
                flags=flags,
                tile=tile,
            )
            elementwise(low, epilogue, Tile(tile, panel, m0, m1))


def output_stationary(low: Lowering, a_t: Tensor, b: Tensor, epilogue: Mapped, flags: int) -> None:
    """``C[m,n] = A[m,k] B[k,n]``: sums stay in the array, columns of A and rows of B stream past each other.

    Shapes: a_t (k, m), the transpose of A; b (k, n).
    """
    for panel in range(b.panels):
        for m0, m1 in pieces(0, a_t.cols, low.geometry.accumulate):
            tile = low.new_tile()
            low.output(
                Place(a_t.number, 0, m0),
                Place(b.number, panel, 0),
                m1 - m0,
                b.rows,
                b.tail(panel),
                flags=flags,
                tile=tile,
                chunk=min(a_t.chunk, b.chunk),
            )
            elementwise(low, epilogue, Tile(tile, panel, m0, m1))
