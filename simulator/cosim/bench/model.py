"""The model: GEMMs cut into the tiles that an array executes, and the values that must come out.

The arithmetic and its order are those of ``docs/arithmetic.md``, by the kernels of ``simulator.numerics``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from simulator.cosim.bench.operands import Array, Coverage, Dealer
from simulator.errors import ConfigError
from simulator.numerics.kernels import gemm, gemm_int8
from simulator.numerics.signatures import DATAFLOWS

DTYPES = ("int8", "bfloat16")
# A product of paddings is -0, which changes no sum, not even one of -0.
_STREAMED_PAD = {"int8": 0, "bfloat16": 0x8000}


class ArrayFacts(Protocol):
    """What the model must know of an array; an ``Adapter`` has it."""

    rows: int
    cols: int
    dtype: str
    dataflow: str
    accumulates: bool

    def golden(self, left: Array, right: Array) -> Array:
        """The product in the array's arithmetic and order."""


@dataclass(frozen=True)
class Gemm:
    """``C[m,n] = A[m,k] B[k,n]`` of the given operands (bfloat16 as ``uint16``)."""

    a: Array
    b: Array

    @property
    def shape(self) -> tuple[int, int, int]:
        """(m, k, n)."""
        return self.a.shape[0], self.a.shape[1], self.b.shape[1]


@dataclass(frozen=True)
class Tile:
    """One transaction: what the array holds, what streams through it, and the results.

    Shapes:
        ws: ``held`` (rows, cols) is of B, ``streamed`` (m, rows) of A, ``results`` (m, cols).
        is: ``held`` (rows, cols) is of A^T, ``streamed`` (n, rows) of B^T, ``results`` (n, cols).
        os: ``held`` (k, cols) is of B, ``streamed`` (k, rows) of A^T, ``results`` (rows, cols).
        Ragged tiles are padded; a product of two paddings is -0 (int8: 0).
    """

    index: int
    gemm: int
    shape: tuple[int, int, int]
    lines: range  # of A's m (ws, os), of B's n (is)
    lanes: range  # of B's n (ws, os), of A's m (is)
    depth: range  # of k
    held: Array
    streamed: Array
    results: Array | None  # None: the array keeps the sum and goes on with the next tile
    dataflow: str

    @property
    def name(self) -> str:
        """For messages."""
        m, k, n = self.shape
        across, down = ("n", "m") if self.dataflow == "is" else ("m", "n")
        spans = ((across, self.lines), ("k", self.depth), (down, self.lanes))
        where = ", ".join(f"{axis} {span.start}:{span.stop}" for axis, span in spans)
        return f"tile {self.index} (gemm {self.gemm}: {m} x {k} x {n}, {self.dataflow}; {where})"


def make_gemms(array: ArrayFacts, gemms: Iterable[object], seed: int) -> list[Gemm]:
    """Operands for every shape ``(m, k, n)``; a ``Gemm`` is taken as it is.

    Of four random GEMMs one has infinities and NaNs in A, one in B, and one has products that are subnormal.

    Raises:
        ConfigError: a shape that is none, or operands of another type.
    """
    if array.dtype not in DTYPES:
        raise ConfigError(f"dtype = {array.dtype!r}: {' or '.join(DTYPES)}")
    if array.dataflow not in DATAFLOWS:
        raise ConfigError(f"dataflow = {array.dataflow!r}: {', '.join(DATAFLOWS)}")
    rng = np.random.default_rng(seed)
    dealers = Dealer(array.dtype, rng), Dealer(array.dtype, rng)
    made = []
    for number, entry in enumerate(gemms):
        if isinstance(entry, Gemm):
            made.append(entry)
            continue
        if not (isinstance(entry, Sequence) and len(entry) == 3 and all(int(size) > 0 for size in entry)):
            raise ConfigError(f"gemms[{number}] = {entry!r}: (m, k, n), all at least 1")
        m, k, n = (int(size) for size in entry)
        kind = number % 4
        a = dealers[0].matrix((m, k), special=kind == 1, tiny=kind == 2)
        made.append(Gemm(a, dealers[1].matrix((k, n), special=kind == 3, tiny=kind == 2)))
    if not made:
        raise ConfigError("gemms is empty")
    return made


def tiles_of(array: ArrayFacts, gemms: Sequence[Gemm]) -> list[Tile]:
    """Every tile of every GEMM, the k-tiles of an output one after another."""
    tiles: list[Tile] = []
    for number, one in enumerate(gemms):
        m, k, n = one.shape
        if array.dataflow == "is":
            left, right = one.b.T, one.a.T  # C^T = B^T A^T
        else:
            left, right = one.a, one.b
        line_step = array.rows if array.dataflow == "os" else left.shape[0]
        depth_step = k if array.dataflow == "os" else array.rows
        for line in range(0, left.shape[0], line_step):
            for lane in range(0, right.shape[1], array.cols):
                for depth in range(0, k, depth_step):
                    spans = (
                        range(line, min(line + line_step, left.shape[0])),
                        range(lane, min(lane + array.cols, right.shape[1])),
                        range(depth, min(depth + depth_step, k)),
                    )
                    tiles.append(_tile(array, len(tiles), number, (m, k, n), left, right, spans))
    return tiles


def _tile(
    array: ArrayFacts,
    index: int,
    number: int,
    shape: tuple[int, int, int],
    left: Array,
    right: Array,
    spans: tuple[range, range, range],
) -> Tile:
    lines, lanes, depth = spans
    chain = array.dataflow == "os"
    rows = len(depth) if chain else array.rows
    streamed = _padded(
        left, lines, depth, (array.rows if chain else len(lines), rows), _STREAMED_PAD[array.dtype]
    )
    held = _padded(right, depth, lanes, (rows, array.cols), 0)
    results: Array | None
    if not array.accumulates or chain:
        results = array.golden(streamed, held)
    elif depth.stop == shape[1]:  # the last k-tile brings the sum of all
        whole, deep = range(shape[1]), -(-shape[1] // array.rows) * array.rows
        every_left = _padded(left, lines, whole, (len(lines), deep), _STREAMED_PAD[array.dtype])
        results = array.golden(every_left, _padded(right, whole, lanes, (deep, array.cols), 0))
    else:
        results = None
    if chain:
        streamed = np.ascontiguousarray(streamed.T)
    return Tile(index, number, shape, lines, lanes, depth, held, streamed, results, array.dataflow)


def _padded(source: Array, first: range, second: range, shape: tuple[int, int], pad: int) -> Array:
    out = np.full(shape, pad, source.dtype)
    out[: len(first), : len(second)] = source[first.start : first.stop, second.start : second.stop]
    return out


def golden(array: ArrayFacts, left: Array, right: Array) -> Array:
    """The product by ``docs/arithmetic.md``."""
    if array.dtype == "int8":
        return gemm_int8(left, right)
    return gemm(left, right, rows=array.rows, dataflow=array.dataflow)


def coverage_of(array: ArrayFacts, tiles: Iterable[Tile]) -> Coverage:
    """The corners among what the tiles bring into the array and expect of it."""
    coverage = Coverage(array.dtype)
    for tile in tiles:
        coverage.see("held", tile.held)
        coverage.see("streamed", tile.streamed)
        if tile.results is not None:
            coverage.see_results(tile.results)
    return coverage
