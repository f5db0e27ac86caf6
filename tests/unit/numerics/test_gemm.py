"""Matrix multiplication in the array's order, to the bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import ProgramError
from simulator.numerics import core, fallback, kernels
from tests.unit.numerics import oracle
from tests.unit.numerics.vectors import BACKENDS, assert_bits, random_bits


@pytest.fixture(params=BACKENDS)
def backend(request):
    with core.forced(request.param):
        yield request.param


FLAGS = list(itertools.product([False, True], repeat=2))


def halves(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """bfloat16 of similar size, so that every addition rounds and the order shows."""
    x = np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
    return (x.view(np.uint32) >> np.uint32(16)).astype(np.uint16)


def wild(shape: tuple[int, ...], seed: int, exponents: tuple[int, int] = (0, 255)) -> np.ndarray:
    """bfloat16 of any exponent in a range: subnormals, infinities and NaNs included."""
    rng = np.random.default_rng(seed)
    exponent = rng.integers(exponents[0], exponents[1] + 1, shape)
    rest = rng.integers(0, 1 << 8, shape)
    return ((rest & 0x80) << 8 | exponent << 7 | (rest & 0x7F)).astype(np.uint16)


def exact(a: np.ndarray, b: np.ndarray, tile: int | None) -> np.ndarray:
    """The product by exact fractions."""
    rows, columns = a.tolist(), b.T.tolist()
    bits = [[oracle.dot(row, column, tile) for column in columns] for row in rows]
    return np.array(bits, np.uint32).view(np.float32)


def stored(x: np.ndarray, transposed: bool) -> np.ndarray:
    return np.ascontiguousarray(x.T) if transposed else x


@pytest.fixture(scope="module")
def small_products():
    """Shapes, tiles (None is output stationary) and exact results, computed once for all backends."""
    cases = []
    for (m, k, n), tile in [
        *(((3, 11, 5), tile) for tile in (None, 1, 2, 3, 4, 11, 64)),
        *(((1, 7, 1), tile) for tile in (None, 2)),
        ((9, 1, 2), 4), ((2, 33, 17), 16), ((17, 33, 2), 8), ((5, 70, 3), 32),
    ]:  # fmt: skip
        for make, seed in ((halves, 1), (wild, 2), (lambda s, i: wild(s, i, (58, 68)), 3)):
            a, b = make((m, k), seed), make((k, n), seed + 10)
            cases.append((a, b, tile, exact(a, b, tile)))
    # Mostly overflowing, and cancelling: exponents at the top, both signs.
    for tile in (None, 2, 4):
        a, b = wild((4, 9), 4, (185, 195)), wild((9, 4), 5, (185, 195))
        cases.append((a, b, tile, exact(a, b, tile)))
    return cases


@pytest.mark.parametrize("flags", FLAGS, ids=str)
def test_products_equal_exact_fractions(backend, small_products, flags):
    for a, b, tile, want in small_products:
        got = kernels.gemm(
            stored(a, flags[0]), stored(b, flags[1]),
            transpose_a=flags[0], transpose_b=flags[1],
            rows=tile or 5, dataflow="ws" if tile else "os",
        )  # fmt: skip
        assert_bits(got, want)


def chain(*terms: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """A row and a column whose products are the given ones."""
    columns = np.array(terms, np.float32).view(np.uint32) >> np.uint32(16)
    a, b = columns.astype(np.uint16).T
    return a[None].copy(), b[:, None].copy()


# Products that underflow or overflow on their own but not in a fused operation; signs of zeros.
CHAINS = {
    "underflow to -0": (chain((2.0**-80, -(2.0**-80))), 0x80000000),
    "underflow to +0": (chain((2.0**-80, 2.0**-80)), 0),
    "-0 after +0": (chain((0.0, 1.0), (-0.0, 1.0)), 0),
    "half a subnormal is added": (chain((2.0**-75, 2.0**-74), (2.0**-75, 2.0**-75)), 2),
    "a product beyond the largest": (chain((-(2.0**63), 2.0**64), (2.0**64, 2.0**64)), 0x7F000000),
    "overflow": (chain((2.0**64, 2.0**64)), 0x7F800000),
    "an overflow stays": (chain((2.0**64, 2.0**64), (-(2.0**100), 2.0**100)), oracle.INFINITY),
    "infinity times zero": (chain((np.inf, 0.0)), oracle.NAN),
    "infinities of both signs": (chain((np.inf, 1.0), (np.inf, -1.0)), oracle.NAN),
    "cancellation": (chain((3.0, 5.0), (-5.0, 3.0)), 0),
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("dataflow", ["ws", "is", "os"])
def test_directed_chains(backend, name, dataflow):
    (a, b), want = CHAINS[name]
    got = kernels.gemm(a, b, rows=8, dataflow=dataflow)
    assert hex(got.view(np.uint32)[0, 0]) == hex(want)


def test_tiles_are_added_to_a_tile_not_to_zero(backend):
    """A first tile of -0 stays -0; +0 in front of it would not."""
    a, b = chain((2.0**-80, -(2.0**-80)), (2.0**-80, -(2.0**-80)))
    assert kernels.gemm(a, b, rows=1, dataflow="ws").view(np.uint32)[0, 0] == 0x80000000


SHAPES = [
    (1, 5, 1), (7, 30, 3), (8, 64, 48), (9, 65, 49), (13, 300, 70), (70, 33, 130), (128, 40, 10),
    (10, 40, 128), (530, 20, 30), (30, 270, 17), (3, 600, 33), (16, 16, 16), (4, 24, 24), (200, 9, 15),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_blockings_give_the_bits_of_the_fallback(shape):
    """Ragged edges of every register block, packed depth and orientation, all storage orders."""
    m, k, n = shape
    for seed, make in enumerate((halves, wild)):
        a, b = make((m, k), seed), make((k, n), seed + 5)
        for rows, dataflow in ((1, "ws"), (8, "is"), (33, "ws"), (128, "ws"), (1000, "ws"), (4, "os")):
            with core.forced("numpy"):
                want = kernels.gemm(a, b, rows=rows, dataflow=dataflow)
            for other, flag_a, flag_b in itertools.product(BACKENDS[:-1], *[(False, True)] * 2):
                with core.forced(other):
                    got = kernels.gemm(
                        stored(a, flag_a), stored(b, flag_b),
                        transpose_a=flag_a, transpose_b=flag_b, rows=rows, dataflow=dataflow,
                    )  # fmt: skip
                assert_bits(got, want)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 20), st.integers(1, 40), st.integers(1, 60), st.integers(1, 50),
    st.sampled_from(["ws", "is", "os"]), st.integers(0, 2**31),
)  # fmt: skip
def test_any_shape_gives_the_bits_of_the_fallback(m, k, n, rows, dataflow, seed):
    a, b = wild((m, k), seed, (100, 150)), wild((k, n), seed + 1, (100, 150))
    results = []
    for other in BACKENDS:
        with core.forced(other):
            results.append(kernels.gemm(a, b, rows=rows, dataflow=dataflow))
    for result in results:
        assert_bits(result, results[-1])


def test_operands_may_be_views(backend):
    a, b = halves((12, 20), 1), halves((20, 14), 2)
    want = kernels.gemm(a, b, rows=8, dataflow="ws")
    assert_bits(kernels.gemm(stored(a, True).T, b, rows=8, dataflow="ws"), want)
    assert_bits(kernels.gemm(a, np.repeat(b, 2, axis=1)[:, ::2], rows=8, dataflow="ws"), want)
    assert_bits(kernels.gemm(a, b.T, transpose_b=True, rows=8, dataflow="ws"), want)


def test_empty_products(backend):
    none = np.zeros((0, 4), np.uint16)
    some = np.zeros((4, 3), np.uint16)
    assert kernels.gemm(none, some, rows=8, dataflow="ws").shape == (0, 3)
    product = kernels.gemm(none, none, transpose_a=True, rows=8, dataflow="os")
    assert_bits(product, np.zeros((4, 4), np.float32))


def test_what_cannot_be_multiplied_is_refused(backend):
    a = np.zeros((2, 3), np.uint16)
    for wrong in (
        lambda: kernels.gemm(a, a, rows=8, dataflow="ws"),
        lambda: kernels.gemm(a, a.T, rows=0, dataflow="ws"),
        lambda: kernels.gemm(a, a.T, rows=8, dataflow="rs"),
        lambda: kernels.gemm(a, a.T.astype(np.float32), rows=8, dataflow="ws"),
        lambda: kernels.gemm(a, a[0], rows=8, dataflow="ws"),
        lambda: kernels.gemm_int8(a, a.T),
    ):
        with pytest.raises(ProgramError):
            wrong()


INT8_SHAPES = [
    *((1, 1, 1), (5, 7, 3), (9, 65, 49), (16, 66, 48), (17, 67, 97), (128, 33, 10)),
    *((530, 600, 50), (9, 4101, 49)),
]


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("shape", INT8_SHAPES, ids=str)
def test_int8_equals_integers(backend, flags, shape):
    """Ragged words, lanes, blocks and packed depths; the largest of either sign among the operands."""
    m, k, n = shape
    rng = np.random.default_rng(8)
    a, b = (rng.choice([-128, -127, -1, 0, 1, 90, 127], s).astype(np.int8) for s in ((m, k), (k, n)))
    want = (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    got = kernels.gemm_int8(
        stored(a, flags[0]), stored(b, flags[1]), transpose_a=flags[0], transpose_b=flags[1]
    )
    assert_bits(got, want.astype(np.int32))


def test_int8_sums_wrap(backend):
    k = 2**17 + 5
    a = np.full((1, k), -128, np.int8)
    assert kernels.gemm_int8(a, a, transpose_b=True)[0, 0] == (k * 128 * 128 + 2**31) % 2**32 - 2**31


def unfused(a, b, tile):
    """A wrong machine: the product is rounded before it is added."""
    left, right = fallback.from_bfloat16(a), fallback.from_bfloat16(b)
    s = np.zeros((a.shape[0], b.shape[1]), np.float32)
    for k in range(a.shape[1]):
        s = s + left[:, k, None] * right[k]
    return fallback.canonical(s)


def padded(a, b, tile):
    """A wrong machine: a zero is added in front of the first tile's sum."""
    return np.float32(0.0) + fallback_gemm(a, b, tile)


def reversed_order(a, b, tile):
    """A wrong machine: k descends."""
    return fallback_gemm(a[:, ::-1], b[::-1], tile)


fallback_gemm = fallback.gemm


@pytest.mark.parametrize("wrong", [unfused, padded, reversed_order])
def test_seeded_faults_are_caught(monkeypatch, small_products, wrong):
    monkeypatch.setattr(fallback, "gemm", wrong)
    with core.forced("numpy"):
        directed = [
            kernels.gemm(*operands, rows=8, dataflow="os").view(np.uint32)[0, 0] == want
            for operands, want in CHAINS.values()
        ]
        with np.errstate(all="ignore"):
            random = [
                np.array_equal(
                    kernels.gemm(a, b, rows=tile or 5, dataflow="ws" if tile else "os").view(np.uint32),
                    want.view(np.uint32),
                )
                for a, b, tile, want in small_products
            ]
    assert not all(directed) or not all(random)
    if wrong is not reversed_order:
        assert not all(directed)


def test_random_bits_are_random():
    assert len(set(random_bits(1000, seed=1).tolist())) > 990
