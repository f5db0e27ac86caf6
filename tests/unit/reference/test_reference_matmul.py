"""The matrix unit: rounding, fusion, order, special values, shapes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.errors import CaptureError
from simulator.reference import emulate, matrix

from .exact import NAN_BITS, bfloat16, bits, floats, gemm, hard_floats

INF = np.float32(np.inf)


def matmul(a: Any, b: Any, rows: int = 4, dataflow: Any = "ws") -> NDArray[np.float32]:
    result: NDArray[np.float32] = emulate(lambda x, y: x @ y, (a, b), rows=rows, dataflow=dataflow)
    return result


def column(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(-1, 1)


def row(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32).reshape(1, -1)


@pytest.mark.parametrize("dataflow", ["ws", "os", "is"])
@pytest.mark.parametrize("spread", [3, 40, 75])
@pytest.mark.parametrize("rows", [1, 3, 4, 11, 16])
def test_order_and_rounding_equal_exact_arithmetic(dataflow: str, spread: int, rows: int) -> None:
    rng = np.random.default_rng([rows, spread])
    a, b = hard_floats(rng, (3, 11), spread), hard_floats(rng, (11, 4), spread)
    if spread == 75:  # the products reach the subnormals
        a, b = a * np.float32(2.0**-20), b * np.float32(2.0**-20)
    expected = gemm(a, b, 11 if dataflow == "os" else rows)
    assert bits(matmul(a, b, rows, dataflow)) == bits(expected)


def test_orders_differ() -> None:
    a, b = row(2.0**24, 1, 1, 1, -(2.0**24)), column(1, 1, 1, 1, 1)
    assert matmul(a, b, 4, "os").item() == 0.0  # each 1 is a tie, lost to even
    assert matmul(a, b, 1, "ws").item() == 0.0
    assert matmul(a, b, 2, "ws").item() == 2.0  # the second tile is 1 + 1, the last is ragged
    assert matmul(a, b, 2, "is").item() == 2.0
    assert matmul(a, b, 2, "os").item() == 0.0


def test_the_multiply_add_is_fused() -> None:
    # A product of two bfloat16 values is exact in float32 but for its range, so only there do fused
    # and unfused differ. 2^-149 + 0.5 * 2^-149 is a tie, to even 2 * 2^-149; unfused the product is
    # rounded first, a tie to 0, and 2^-149 stays.
    a, b = floats(0x00010000, 0x1A000000), floats(0x37800000, 0x1A000000)
    assert bits(matmul(a[None, :], b[:, None])) == [0x00000002]
    assert bits(a[0] * b[0] + a[1] * b[1]) == [0x00000001]
    # At the other end 2^128 is no float32, while -1.5 * 2^127 + 2^128 is.
    a, b = row(-1.5, 2.0**64), column(2.0**127, 2.0**64)
    assert matmul(a, b).item() == 2.0**126
    assert matmul(a, b, rows=1).item() == np.inf  # each tile's sum is a float32


def test_the_product_is_not_rounded_to_bfloat16() -> None:
    third = float(bfloat16(np.float32(1 / 3)))
    assert matmul(row(third), column(third)).item() == third * third


def test_operands_round_to_bfloat16() -> None:
    inputs = floats(
        0x3F808000,  # a tie: to even, down
        0x3F818000,  # a tie: to even, up
        0x3F808001,
        0x3F807FFF,
        0x7F7FFFFF,  # overflows to infinity
        0x00008000,  # a subnormal tie, to zero
        0x00018000,
        0x80008000,
        0x7F812345,  # a NaN
        0xFF800001,
    )
    expected = [0x3F80 << 16, 0x3F82 << 16, 0x3F81 << 16, 0x3F80 << 16, 0x7F80 << 16, 0, 0x20000]
    # Through the array -0 * 1 + 0 is +0, so the ninth loses its sign.
    expected += [0, NAN_BITS, NAN_BITS]
    assert bits(matmul(inputs[:, None], column(1))) == expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([INF, 1.0], [0.0, 1.0], NAN_BITS),
        ([INF, 1.0], [1.0, -INF], NAN_BITS),
        ([INF, 1.0], [1.0, 1.0], 0x7F800000),
        ([np.nan, 1.0], [1.0, 1.0], NAN_BITS),
        ([-0.0, -0.0], [1.0, 1.0], 0x00000000),  # -0 + +0 = +0
        ([1.0, -1.0], [1.0, 1.0], 0x00000000),
        ([-(2.0**-80), 0.0], [2.0**-80, 1.0], 0x00000000),  # -0 by underflow, then +0 is added
        ([-(2.0**-80)], [2.0**-80], 0x80000000),  # -0 by underflow
        ([1.0, -(2.0**-80)], [0.0, 2.0**-80], 0x80000000),
    ],
)
def test_special_values(a: list[float], b: list[float], expected: int) -> None:
    assert bits(matmul(row(*a), column(*b), 8)) == [expected]


def test_a_ragged_tile_is_not_padded() -> None:
    # The second tile is a lone product that underflows to -0; padding would make it +0.
    a, b = row(0, -(2.0**-80), -(2.0**-80)), column(1, 2.0**-80, 2.0**-80)
    assert bits(matmul(a, b, rows=2)) == [0x80000000] == bits(gemm(a, b, 2))


def test_int8_wraps_in_int32() -> None:
    rng = np.random.default_rng(0)
    a = rng.integers(-128, 128, (5, 300), np.int8)
    b = rng.integers(-128, 128, (300, 4), np.int8)

    def step(a: Any, b: Any) -> Any:
        return np.matmul(a, b, dtype=np.int32)

    result = emulate(step, (a, b), rows=8, dataflow="ws")
    assert result.dtype == np.int32
    assert (result == a.astype(np.int64) @ b.astype(np.int64)).all()


@pytest.mark.parametrize(
    ("left", "right"), [((4,), (4,)), ((4,), (4, 3)), ((2, 4), (4,)), ((2, 3, 4), (4, 5))]
)
def test_shapes_are_numpys(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    a = rng.integers(-8, 8, left).astype(np.float32)
    b = rng.integers(-8, 8, right).astype(np.float32)
    for function in (np.matmul, np.dot):
        result = emulate(function, (a, b), rows=4, dataflow="ws")
        assert result.shape == (a @ b).shape
        assert (result == a @ b).all()


def test_transposed_operands_and_host_constants() -> None:
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    result = emulate(
        lambda x: x.T @ x + np.eye(3, dtype=np.float32) @ x.T @ x, (a,), rows=2, dataflow="ws"
    )
    assert (result == 2 * (a.T @ a)).all()


@pytest.mark.parametrize(
    "subscripts",
    [
        "ij,jk->ik",
        "ji,jk->ik",
        "ij,kj->ki",
        "ij,jk",
        "bij,jk->bik",
        "bti,bto->io",
        "bij,bij->",
        "i,i->",
    ],
)
def test_einsum_is_a_matmul(subscripts: str) -> None:
    sizes = dict(zip("bijkto", (2, 4, 4, 4, 3, 5), strict=True))
    rng = np.random.default_rng(2)
    inputs = subscripts.split("->")[0].split(",")
    a, b = (
        rng.integers(-8, 8, [sizes[name] for name in names]).astype(np.float32) for names in inputs
    )
    expected = np.einsum(subscripts, a, b)
    result = emulate(lambda a, b: np.einsum(subscripts, a, b), (a, b), rows=3, dataflow="ws")
    assert result.shape == expected.shape
    assert (result == expected).all()


def test_einsum_contracts_in_the_order_of_the_first_operand() -> None:
    rng = np.random.default_rng(3)
    a, b = hard_floats(rng, (2, 3, 4), 10), hard_floats(rng, (2, 3, 5), 10)
    result = emulate(lambda a, b: np.einsum("bti,bto->io", a, b), (a, b), rows=4, dataflow="ws")
    assert bits(result) == bits(gemm(a.reshape(6, 4).T, b.reshape(6, 5), 4))


def test_einsum_of_one_operand() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    total, moved = emulate(
        lambda x: (np.einsum("ij->j", x), np.einsum("ij->ji", x)), (x,), rows=3, dataflow="ws"
    )
    assert (total == x.sum(0)).all()
    assert (moved == x.T).all()


@pytest.mark.parametrize(
    "subscripts", ["bij,bjk->bik", "i,j->ij", "ij,jk->k", "ij,ji->", "ii,ij->j", "...j,jk->...k"]
)
def test_einsum_that_is_no_single_matmul_is_refused(subscripts: str) -> None:
    inputs = subscripts.split("->")[0].replace("...", "a").split(",")
    a, b = (np.ones([3] * len(names), np.float32) for names in inputs)
    with pytest.raises(CaptureError):
        emulate(lambda a, b: np.einsum(subscripts, a, b), (a, b), rows=3, dataflow="ws")


def test_empty_and_mismatched_shapes() -> None:
    assert (
        matmul(np.ones((2, 0), np.float32), np.ones((0, 3), np.float32)).tolist() == [[0] * 3] * 2
    )
    assert matmul(np.ones((0, 4), np.float32), np.ones((4, 3), np.float32)).shape == (0, 3)
    with pytest.raises(ValueError, match="4 is not 3"):
        matmul(np.ones((2, 4), np.float32), np.ones((3, 2), np.float32))


@pytest.mark.parametrize("exponent", [0, -30, -50, -66, -70, 55, 66, 100])
def test_products_are_exact_in_the_type_that_is_chosen(exponent: int) -> None:
    """Near the ends of float32's range its products round or overflow: then float64 is taken."""
    rng = np.random.default_rng(abs(exponent))
    a, b = (matrix.to_bfloat16(rng.standard_normal(s).astype(np.float32)) for s in ((9, 40), (40, 7)))
    a, b = a * np.float32(2.0**exponent), b * np.float32(2.0**exponent)
    a[0, 0] = 0.0
    chosen = matrix.exact_type(a, b)
    assert chosen == (np.float32 if -60 < exponent < 60 else np.float64)
    wide = a.T.astype(np.float64)[None], b.astype(np.float64)[None]
    given = a.T.astype(chosen)[None], b.astype(chosen)[None]
    with np.errstate(all="ignore"):
        expected, found = matrix.fma_chains(*wide), matrix.fma_chains(*given)
    assert np.array_equal(expected.view(np.uint32), found.view(np.uint32))


def test_what_is_not_finite_is_multiplied_in_float64() -> None:
    one = np.ones((2, 2), np.float32)
    for value in (np.inf, np.nan):
        assert matrix.exact_type(one, np.full((2, 2), value, np.float32)) == np.float64
