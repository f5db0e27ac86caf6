"""Functions of the vector unit against exact fractions, and all backends against each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from simulator import graph
from simulator.errors import ProgramError
from simulator.numerics import core, kernels, signatures
from tests.unit.numerics import oracle
from tests.unit.numerics.vectors import BACKENDS, DIRECTED, assert_bits, floats, pairs, random_bits

UNARY: dict[str, tuple[Callable[[int], int], type]] = {
    "copy": (lambda x: oracle.NAN if oracle.is_nan(x) else x, np.uint32),
    "negative": (oracle.negative, np.uint32),
    "absolute": (oracle.absolute, np.uint32),
    "sign": (oracle.sign, np.uint32),
    "sqrt": (oracle.sqrt, np.uint32),
    "to_bfloat16": (oracle.to_bfloat16, np.uint16),
    "to_int32": (oracle.to_int32, np.int32),
    "to_bool": (lambda x: not oracle.is_zero(x), np.bool_),
}
BINARY: dict[str, tuple[Callable[[int, int], int], type]] = {
    "add": (oracle.add, np.uint32),
    "subtract": (oracle.subtract, np.uint32),
    "multiply": (oracle.multiply, np.uint32),
    "divide": (oracle.divide, np.uint32),
    "maximum": (oracle.maximum, np.uint32),
    "minimum": (oracle.minimum, np.uint32),
    "equal": (oracle.equal, np.bool_),
    "not_equal": (lambda a, b: not oracle.equal(a, b), np.bool_),
    "less": (oracle.less, np.bool_),
    "less_equal": (lambda a, b: oracle.less(a, b) or oracle.equal(a, b), np.bool_),
}
RANDOM = 200_000


def as_result(values: list[int], kind: type) -> np.ndarray:
    array = np.array(values, kind)
    return array.view(np.float32) if kind is np.uint32 else array


@pytest.fixture(params=BACKENDS)
def backend(request):
    with core.forced(request.param):
        yield request.param


@pytest.mark.parametrize("name", UNARY)
def test_unary_equals_exact_fractions(backend, name):
    function, kind = UNARY[name]
    bits = np.concatenate([DIRECTED, random_bits(2000, seed=1)])
    expected = as_result([function(x) for x in bits.tolist()], kind)
    assert_bits(kernels.elementwise(name, floats(bits)), expected)


@pytest.fixture(scope="module")
def exact_binary():
    """Exact results for all pairs of directed values and for random ones, computed once."""
    left, right = pairs(DIRECTED)
    # Random patterns rarely come near each other: half of the second operands share the exponent.
    a, b = random_bits(3000, seed=2), random_bits(3000, seed=3)
    b[::2] = (b[::2] & 0x807FFFFF) | (a[::2] & 0x7F800000)
    left, right = np.concatenate([left, a]), np.concatenate([right, b])
    operands = list(zip(left.tolist(), right.tolist(), strict=True))
    return (
        left,
        right,
        {
            name: as_result([function(x, y) for x, y in operands], kind)
            for name, (function, kind) in BINARY.items()
        },
    )


@pytest.mark.parametrize("name", BINARY)
def test_binary_equals_exact_fractions(backend, name, exact_binary):
    left, right, expected = exact_binary
    assert_bits(kernels.elementwise(name, floats(left), floats(right)), expected[name])


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "sqrt"])
def test_many_random_patterns_equal_float64_rounded_once_more(backend, name):
    """53 bits are at least 2 * 24 + 2, so rounding these to float64 first changes nothing."""
    a, b = floats(random_bits(RANDOM, seed=4)), floats(random_bits(RANDOM, seed=5))
    operands = (a,) if name == "sqrt" else (a, b)
    with np.errstate(all="ignore"):
        wide = getattr(np, name)(*(x.astype(np.float64) for x in operands)).astype(np.float32)
    wide[np.isnan(wide)] = np.float32(np.nan)
    assert_bits(kernels.elementwise(name, *operands), wide)


def test_the_float64_shortcut_itself_equals_exact_fractions():
    left, right = pairs(DIRECTED)
    with np.errstate(all="ignore"):
        wide = (floats(left).astype(np.float64) / floats(right).astype(np.float64)).astype(np.float32)
    exact = np.array(
        [oracle.divide(x, y) for x, y in zip(left.tolist(), right.tolist(), strict=True)], np.uint32
    )
    numbers = ~np.isnan(wide)
    assert_bits(wide[numbers], floats(exact)[numbers])


@pytest.mark.parametrize("name", sorted({*UNARY, *BINARY, "exp", "log", "tanh"}))
def test_backends_agree_on_random_patterns_and_odd_lengths(name):
    count = 1 if name in UNARY or name in ("exp", "log", "tanh") else 2
    for length in (1, 2, 3, 7, 17, 63, 1001, 50_000):
        operands = [floats(random_bits(length, seed=length + i)) for i in range(count)]
        with core.forced("numpy"):
            expected = kernels.elementwise(name, *operands)
        for other in BACKENDS:
            with core.forced(other):
                assert_bits(kernels.elementwise(name, *operands), expected)


def test_int32_wraps(backend):
    top, bottom = np.int32(2**31 - 1), np.int32(-(2**31))
    x = np.array([top, bottom, bottom, -5, 0, 7], np.int32)
    y = np.array([1, -1, bottom, 3, 0, -7], np.int32)
    assert kernels.elementwise("add", x, y).tolist() == [bottom, top, 0, -2, 0, 0]
    assert kernels.elementwise("subtract", x, y).tolist() == [top - 1, bottom + 1, 0, -8, 0, 14]
    assert kernels.elementwise("negative", x).tolist() == [-top, bottom, bottom, 5, 0, -7]
    assert kernels.elementwise("absolute", x).tolist() == [top, bottom, bottom, 5, 0, 7]
    assert kernels.elementwise("sign", x).tolist() == [1, -1, -1, -1, 0, 1]
    assert kernels.elementwise("maximum", x, y).tolist() == [top, -1, bottom, 3, 0, 7]
    assert kernels.elementwise("minimum", x, y).tolist() == [1, bottom, bottom, -5, 0, -7]
    assert kernels.elementwise("equal", x, y).tolist() == [False, False, True, False, True, False]
    assert kernels.elementwise("less", x, y).tolist() == [False, True, False, True, False, False]


def test_conversions_between_types(backend):
    integers = np.array([0, 1, -1, 2**24 + 1, 2**24 + 3, -(2**24) - 1, 2**31 - 1, -(2**31)], np.int32)
    expected = [0.0, 1.0, -1.0, 2.0**24, 2.0**24 + 4, -(2.0**24), 2.0**31, -(2.0**31)]
    assert kernels.elementwise("to_float32", integers).tolist() == expected
    small = np.arange(-128, 128).astype(np.int8)
    assert kernels.elementwise("to_float32", small).tolist() == list(range(-128, 128))
    assert kernels.elementwise("to_int32", small).tolist() == list(range(-128, 128))
    flags = np.array([False, True, True])
    assert_bits(kernels.elementwise("to_float32", flags), np.array([0, 1, 1], np.float32))
    assert_bits(kernels.elementwise("to_int32", flags), np.array([0, 1, 1], np.int32))
    assert kernels.elementwise("to_bool", integers).tolist() == [False] + [True] * 7


def test_all_bfloat16_values_convert_exactly_and_back(backend):
    halves = np.arange(1 << 16, dtype=np.uint32).astype(np.uint16)
    wide = kernels.from_bfloat16(halves)
    nan = (halves & 0x7FFF) > 0x7F80
    expected = np.where(nan, np.uint32(oracle.NAN), halves.astype(np.uint32) << np.uint32(16))
    assert_bits(wide, expected.view(np.float32))
    assert_bits(kernels.to_bfloat16(wide), np.where(nan, np.uint16(0x7FC0), halves))


def test_logic_and_where(backend):
    a, b = np.array([False, False, True, True]), np.array([False, True, False, True])
    assert kernels.elementwise("logical_and", a, b).tolist() == [False, False, False, True]
    assert kernels.elementwise("logical_or", a, b).tolist() == [False, True, True, True]
    assert kernels.elementwise("logical_not", a).tolist() == [True, True, False, False]
    x, y = floats(random_bits(4, seed=6)), floats(np.array([0x7FC12345, 0, 0x80000000, 1], np.uint32))
    assert_bits(kernels.elementwise("where", b, x, y), kernels.canonical(np.where(b, x, y)))
    halves = np.array([1, 2, 3, 4], np.uint16)
    assert kernels.elementwise("where", a, halves, halves[::-1].copy()).tolist() == [4, 3, 3, 4]


SHAPES = [
    ((5,), (5,)), ((), ()), ((3, 1), (1, 4)), ((3, 4), ()), ((), (3, 4)), ((3, 4), (4,)), ((3, 1), (3, 4)),
    ((2, 3, 4), (3, 1)), ((2, 1, 4), (1, 3, 1)), ((6, 1, 5), (5,)), ((1,), (7, 9)), ((1, 1), (1,)),
    ((3, 700), (3, 1)), ((700, 3), (700, 1)), ((3, 1200), ()), ((0, 4), (4,)), ((4, 0), (4, 1)),
    ((2, 3, 4, 5), (3, 1, 5)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_operands_broadcast_as_in_numpy(backend, shapes):
    rng = np.random.default_rng(7)
    x, y = (np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes)
    assert_bits(kernels.elementwise("subtract", x, y), np.asarray(x - y))
    assert_bits(kernels.elementwise("less", y, x), np.asarray(y < x))
    condition = np.asarray(rng.integers(0, 2, shapes[0]), np.bool_)
    assert_bits(kernels.elementwise("where", condition, y, x), np.asarray(np.where(condition, y, x)))


def test_operands_may_be_views_and_read_only(backend):
    x = np.arange(60, dtype=np.float32).reshape(6, 10)
    for view in (x.T, x[::2, 1:7], np.broadcast_to(x[0], (4, 10)), x[:, ::-1], x[3:3]):
        assert_bits(kernels.elementwise("add", view, view), view + view)
    x.setflags(write=False)
    assert_bits(kernels.elementwise("multiply", x, x), x * x)


def test_canonical_returns_the_array_itself_where_nothing_changes(backend):
    clean = np.array([0.0, np.nan, np.inf], np.float32)
    assert kernels.canonical(clean) is clean
    dirty = floats(np.array([0, 0xFFC00000, 0x7F800001, 0x7FC00000], np.uint32))
    expected = floats(np.array([0, *[oracle.NAN] * 3], np.uint32))
    assert_bits(kernels.canonical(dirty), expected)
    assert_bits(kernels.canonical(np.asarray(dirty[1])), np.asarray(expected[1]))
    halves = np.array([0x7FC0, 0x7F80, 0xFF80], np.uint16)
    assert kernels.canonical(halves) is halves
    assert kernels.canonical(np.array([0xFFC0, 0x7F80], np.uint16)).tolist() == [0x7FC0, 0x7F80]
    integers = np.arange(3, dtype=np.int32)
    assert kernels.canonical(integers) is integers


def test_every_function_of_the_graph_exists():
    assert set(graph.ELEMENTWISE) == signatures.ELEMENTWISE
    assert dict(graph.STORAGE) == dict(signatures.STORAGE)
    assert graph.REDUCTIONS == signatures.REDUCTIONS
    if len(BACKENDS) > 1:
        with core.forced(BACKENDS[0]):
            native = core.active()
            assert native is not None
            assert all(native.function(name, "float32") is not None for name in {*UNARY, *BINARY})


@pytest.mark.parametrize(
    ("name", "operands"),
    [
        ("cube", [np.float32]), ("multiply", [np.int32, np.int32]), ("sqrt", [np.int32]),
        ("add", [np.float32]), ("add", [np.float32, np.int32]), ("add", [np.uint16, np.uint16]),
        ("exp", [np.float64]), ("where", [np.float32] * 3), ("to_bfloat16", [np.int32]),
        ("logical_not", [np.float32]),
    ],
)  # fmt: skip
def test_other_types_are_refused(backend, name, operands):
    with pytest.raises(ProgramError):
        kernels.elementwise(name, *(np.zeros(2, dtype) for dtype in operands))


def test_shapes_and_result_types_are_checked(backend):
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ProgramError, match="do not broadcast"):
        kernels.elementwise("add", x, x.T)
    with pytest.raises(ProgramError, match="gives bool, not float32"):
        kernels.elementwise("less", x, x, dtype="float32")
    assert kernels.elementwise("less", x, x, dtype="bool").dtype == np.bool_
