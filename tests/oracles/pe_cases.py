"""Cases for the array oracle: GEMMs cut into the tiles, MATMULs and DRAINs that an array executes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from simulator.units import ceil_div
from tests.oracles.pe_arithmetic import Arithmetic, Array, scalar_gemm
from tests.oracles.pe_array import PairStream, Report, RowStream, SumDrain, WeightShift
from tests.oracles.pe_schedule import UNSCHEDULED

MAX_MATMUL_ROWS = 8
MAX_STREAMED = 12

# bfloat16 values, as their 16 bits, that find wrong orders, unfused sums and wrong zeros: both zeros,
# subnormals, values whose products underflow or overflow, one ulp around 1, infinity and the canonical NaN.
_AWKWARD = np.array(
    [
        *(0x0000, 0x8000, 0x0001, 0x8001, 0x007F, 0x0080, 0x1F80, 0x9F81, 0x2000, 0x3F80, 0x3F81, 0xBF7F),
        *(0x5F80, 0xDF81, 0x7F7F, 0xFF7F, 0x7F80, 0xFF80, 0x7FC0),
    ],
    dtype=np.uint32,
)


@dataclass(frozen=True)
class Gemm:
    """``C = A B``: operands, arithmetic and the height of a K-tile (None is one chain, os)."""

    a: Array
    b: Array
    arithmetic: Arithmetic
    tile_rows: int | None

    def expected(self) -> Array:
        """What the scalar loop gives."""
        return scalar_gemm(self.arithmetic, self.a, self.b, self.tile_rows)


def operands(rng: np.random.Generator, arithmetic: Arithmetic, shape: tuple[int, int]) -> Array:
    """Random int8, or bfloat16 values of which some are awkward (few: a NaN hides all that follows it)."""
    if arithmetic.integer:
        return rng.integers(-128, 128, shape).astype(np.int32)
    bits = rng.standard_normal(shape).astype(np.float32).view(np.uint32) >> 16
    finite = rng.random(shape) < 0.25
    bits = np.where(finite, rng.choice(_AWKWARD[:-3], shape), bits)
    bits = np.where(rng.random(shape) < 0.01, rng.choice(_AWKWARD, shape), bits)
    return (bits.astype(np.uint32) << 16).view(np.float32)


def garbage(arithmetic: Arithmetic, shape: tuple[int, ...]) -> Array:
    """What stands where no element of an operand belongs: it would spoil any sum that it reached."""
    return np.full(shape, 99 if arithmetic.integer else np.nan, dtype=arithmetic.dtype)


@dataclass(frozen=True)
class StationaryCase:
    """A GEMM on the ws or is array: its tiles and MATMULs in program order, not yet scheduled."""

    gemm: Gemm
    transposed: bool
    shifts: list[WeightShift]
    streams: list[RowStream]
    lines: int

    def result(self, report: Report) -> Array:
        """``C``, put together from the accumulators."""
        m_size, n_size = self.gemm.a.shape[0], self.gemm.b.shape[1]
        streamed, held = (n_size, m_size) if self.transposed else (m_size, n_size)
        tiles = report.memory.reshape(-1, streamed, report.memory.shape[1])
        c = np.concatenate(list(tiles), axis=1)[:, :held]
        return c.T if self.transposed else c


def stationary_case(
    gemm: Gemm, rows: int, cols: int, chunks: Sequence[Sequence[int]], transposed: bool = False
) -> StationaryCase:
    """Cut a GEMM for a rows x cols array: columns of tiles one after another, k ascending within each.

    ``chunks[t]`` are the rows of the MATMULs that use tile t, in order; each adds up to m. ``transposed`` is
    the is array, which computes ``C^T = B^T A^T``: it holds ``A^T`` and streams the rows of ``B^T``.
    """
    a, b = (gemm.b.T, gemm.a.T) if transposed else (gemm.a, gemm.b)
    (m_size, k_size), n_size = a.shape, b.shape[1]
    shifts: list[WeightShift] = []
    streams: list[RowStream] = []
    for n0 in range(0, n_size, cols):
        line = n0 // cols * m_size
        for k0 in range(0, k_size, rows):
            block = b[k0 : k0 + rows, n0 : n0 + cols]
            weights = garbage(gemm.arithmetic, (rows, cols))
            weights[: block.shape[0], : block.shape[1]] = block
            tile = len(shifts)
            shifts.append(WeightShift(UNSCHEDULED, weights))
            first = 0
            for size in chunks[tile]:
                activations = garbage(gemm.arithmetic, (size, rows))
                activations[:, : block.shape[0]] = a[first : first + size, k0 : k0 + rows]
                streams.append(
                    RowStream(
                        UNSCHEDULED,
                        activations,
                        enable=np.arange(rows) < block.shape[0],
                        tile=tile,
                        line=line + first,
                        accumulate=k0 > 0,
                        swap=first == 0,
                        release=first + size == m_size,
                    )
                )
                first += size
            assert first == m_size
    return StationaryCase(gemm, transposed, shifts, streams, ceil_div(n_size, cols) * m_size)


@dataclass(frozen=True)
class OutputCase:
    """A GEMM on the os array: its MATMULs and DRAINs in program order, not yet scheduled."""

    gemm: Gemm
    events: list[PairStream | SumDrain]
    lines: int
    rows: int

    def result(self, report: Report) -> Array:
        """``C``, put together from the accumulators."""
        m_size, n_size = self.gemm.a.shape[0], self.gemm.b.shape[1]
        m_tiles, cols = ceil_div(m_size, self.rows), report.memory.shape[1]
        tiles = report.memory.reshape(-1, m_tiles * self.rows, cols)
        return np.concatenate(list(tiles), axis=1)[:m_size, :n_size]


def output_case(gemm: Gemm, rows: int, cols: int, chunks: Sequence[Sequence[int]]) -> OutputCase:
    """Cut a GEMM for a rows x cols array: columns of tiles one after another.

    ``chunks[t]`` are the steps of the MATMULs of tile t, in order; each adds up to k.
    """
    (m_size, k_size), n_size = gemm.a.shape, gemm.b.shape[1]
    events: list[PairStream | SumDrain] = []
    tile = 0
    for n0 in range(0, n_size, cols):
        for m0 in range(0, m_size, rows):
            a, b = gemm.a[m0 : m0 + rows], gemm.b[:, n0 : n0 + cols]
            left, top = garbage(gemm.arithmetic, (k_size, rows)), garbage(gemm.arithmetic, (k_size, cols))
            left[:, : len(a)], top[:, : b.shape[1]] = a.T, b
            first = 0
            for size in chunks[tile]:
                steps = slice(first, first + size)
                events.append(PairStream(UNSCHEDULED, left[steps], top[steps], accumulate=first > 0))
                first += size
            assert first == k_size
            events.append(SumDrain(UNSCHEDULED, tile * rows, len(a)))
            tile += 1
    return OutputCase(gemm, events, tile * rows, rows)


def check_values(case: StationaryCase | OutputCase, report: Report) -> None:
    """No rule was broken and every bit is the scalar loop's."""
    assert not report.violations
    bits = case.gemm.arithmetic.bits
    np.testing.assert_array_equal(bits(case.result(report)), bits(case.gemm.expected()))


@st.composite
def _chunks(draw: st.DrawFn, total: int, tiles: int) -> list[list[int]]:
    """For each tile, ``total`` as a sum of MATMUL sizes."""
    out = []
    for _ in range(tiles):
        sizes: list[int] = []
        while (left := total - sum(sizes)) > 0:
            sizes.append(draw(st.integers(1, min(left, MAX_MATMUL_ROWS))))
        out.append(sizes)
    return out


@st.composite
def _gemms(draw: st.DrawFn, m_size: int, k_size: int, n_size: int, tile_rows: int | None) -> Gemm:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    arithmetic = Arithmetic(integer=draw(st.sampled_from([False, False, True])))
    a, b = operands(rng, arithmetic, (m_size, k_size)), operands(rng, arithmetic, (k_size, n_size))
    return Gemm(a, b, arithmetic, tile_rows)


@st.composite
def stationary_cases(
    draw: st.DrawFn,
    rows: int,
    cols: int,
    full: bool = False,
    transposed: bool = False,
    max_streamed: int | None = None,
) -> StationaryCase:
    """GEMMs of at least three tiles. ``full``: every tile uses all rows and columns.

    At most ``max_streamed`` rows stream; by default few (then the accumulators' adder counts) or many (then
    the array does).
    """
    k_tiles = draw(st.integers(1, 4))
    held_tiles = draw(st.integers(ceil_div(3, k_tiles), 3))
    k_size = k_tiles * rows if full else draw(st.integers((k_tiles - 1) * rows + 1, k_tiles * rows))
    held = held_tiles * cols if full else draw(st.integers((held_tiles - 1) * cols + 1, held_tiles * cols))
    streamed = draw(st.integers(1, max_streamed or draw(st.sampled_from([MAX_STREAMED, 3]))))
    m_size, n_size = (held, streamed) if transposed else (streamed, held)
    gemm = draw(_gemms(m_size, k_size, n_size, rows))
    chunks = draw(_chunks(streamed, k_tiles * held_tiles))
    return stationary_case(gemm, rows, cols, chunks, transposed)


@st.composite
def output_cases(draw: st.DrawFn, rows: int, cols: int, full: bool = False) -> OutputCase:
    """GEMMs of at least three tiles. ``full``: every tile uses all rows and columns."""
    m_tiles = draw(st.integers(1, 3))
    n_tiles = draw(st.integers(ceil_div(3, m_tiles), 3))
    m_size = m_tiles * rows if full else draw(st.integers((m_tiles - 1) * rows + 1, m_tiles * rows))
    n_size = n_tiles * cols if full else draw(st.integers((n_tiles - 1) * cols + 1, n_tiles * cols))
    k_size = draw(st.integers(1, 12))
    gemm = draw(_gemms(m_size, k_size, n_size, None))
    return output_case(gemm, rows, cols, draw(_chunks(k_size, m_tiles * n_tiles)))
