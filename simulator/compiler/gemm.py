"""Matrix multiplications as tiles: WLOAD, MATMUL and DRAIN into accumulator tiles, for the three dataflows.

The order of accumulation is part of the machine (``docs/arithmetic.md``): within an accumulator tile, k
ascends.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.compiler.symbolic import Lowering, Symbolic
from simulator.compiler.tensors import Tensor, operand, pieces
from simulator.compiler.vector import TileSource
from simulator.isa import Flag, Opcode

Epilogue = Callable[[TileSource], None]
"""Adds the vector instructions that read one finished accumulator tile."""


def weight_stationary(low: Lowering, a: Tensor, b: Tensor, epilogue: Epilogue, *, integer: bool) -> None:
    """``C[m,n] = A[m,k] B[k,n]``: a tile of B stays in the array, rows of A stream past it.

    Shapes: a (m, k), b (k, n); the epilogue sees C panel by panel, ``geometry.accumulate`` rows at a time.
    """
    line, k = low.geometry.line, a.cols
    base = Flag.SWAP | Flag.RELEASE | (Flag.INTEGER if integer else Flag.NONE)
    for panel in range(b.panels):
        width = b.tail(panel)
        for m0, m1 in pieces(0, a.rows, low.geometry.accumulate):
            tile = low.new_tile(m1 - m0)
            for sub, n0 in enumerate(range(0, width, low.cols)):
                n = min(low.cols, width - n0)
                for k0, k1 in pieces(0, k, low.rows):
                    low.add(
                        Symbolic(
                            Opcode.WLOAD,
                            low.current,
                            k1 - k0,
                            item=b.item,
                            sub0=sub,
                            sources=(operand(b, panel, k0),),
                        )
                    )
                    low.add(
                        Symbolic(
                            Opcode.MATMUL,
                            low.current,
                            m1 - m0,
                            item=a.item,
                            tail=k1 - k0,
                            sources=(operand(a, k0 // line, m0),),
                            sub0=k0 % line // low.rows,
                            sub1=sub,
                            flags=base | (Flag.ACCUMULATE if k0 else Flag.NONE),
                            tile=tile,
                            macs=(m1 - m0) * (k1 - k0) * n,
                        )
                    )
            epilogue(TileSource(tile, panel, m0, m1))


def output_stationary(low: Lowering, a_t: Tensor, b: Tensor, epilogue: Epilogue, *, integer: bool) -> None:
    """``C[m,n] = A[m,k] B[k,n]``: sums stay in the array, columns of A and rows of B stream past each other.

    Shapes: a_t (k, m), the transpose of A; b (k, n).
    """
    line, k, m = low.geometry.line, b.rows, a_t.cols
    base = Flag.INTEGER if integer else Flag.NONE
    for panel in range(b.panels):
        width = b.tail(panel)
        for m0, m1 in pieces(0, m, low.geometry.accumulate):
            tile = low.new_tile(m1 - m0)
            for r0, r1 in pieces(m0, m1, low.rows):
                for sub, n0 in enumerate(range(0, width, low.cols)):
                    n = min(low.cols, width - n0)
                    for k0, k1 in pieces(0, k, a_t.chunk, b.chunk):
                        low.add(
                            Symbolic(
                                Opcode.MATMUL,
                                low.current,
                                k1 - k0,
                                item=b.item,
                                tail=r1 - r0,
                                sources=(operand(a_t, r0 // line, k0), operand(b, panel, k0)),
                                sub0=r0 % line // low.rows,
                                sub1=sub,
                                tile=tile,
                                flags=base | (Flag.ACCUMULATE if k0 else Flag.NONE),
                                macs=(k1 - k0) * (r1 - r0) * n,
                            )
                        )
                    low.add(
                        Symbolic(
                            Opcode.DRAIN,
                            low.current,
                            r1 - r0,
                            flags=base,
                            sub1=sub,
                            tile=tile,
                            tile_line=r0 - m0,
                        )
                    )
            epilogue(TileSource(tile, panel, m0, m1))
